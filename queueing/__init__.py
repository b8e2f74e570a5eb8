"""The desk: tickets, counters, dispatch, and the screens around them."""
