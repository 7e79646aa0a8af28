"""What people do to data that is there: take it out of sight, bring it back, merge it, and throw it away in the end."""
