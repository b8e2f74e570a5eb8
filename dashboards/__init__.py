"""What leaders see. Reads everything, writes nothing."""
