"""What every subject stands on, without a word of any subject: database, events, clock, errors, settings, web."""
