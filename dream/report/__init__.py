"""What a person reads: a terminal table and one HTML page, both made of a sweep's result."""
