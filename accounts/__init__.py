"""Who may do what: staff, log-in, devices and tokens."""
