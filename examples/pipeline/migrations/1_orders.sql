-- What the pipeline knows of each order. Portable between SQLite and PostgreSQL.
CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL,
    region TEXT NOT NULL,
    total_eur_cents BIGINT NOT NULL,
    -- Milliseconds since 1970: when the customer ordered, and when the row was written.
    placed_ms BIGINT NOT NULL,
    stored_ms BIGINT NOT NULL
);
