-- The purge job looks for the oldest rows.
CREATE INDEX orders_by_age ON orders (stored_ms);
