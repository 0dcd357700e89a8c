-- The orders of the shop. Portable between SQLite and PostgreSQL.
CREATE TABLE orders (
    -- Chosen by the client, so that it can repeat a request.
    id TEXT PRIMARY KEY,
    item TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    -- `placed` or `packed`.
    state TEXT NOT NULL,
    -- How many requests have placed it: more than one if the client repeated its request.
    requests BIGINT NOT NULL
);
