-- The tables of a ledger that servers share. They are made at the first connection; where the server's role may not
-- do that, run this file as one that may, and give the server's role USAGE of the schema, and SELECT, INSERT, UPDATE and
-- DELETE of its tables.
--
-- A later version only adds to it, so that servers of two versions can run side by side.

-- Not `IF NOT EXISTS`, which wants the right to make one also where it is there.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'bevy_xsolla') THEN
        CREATE SCHEMA bevy_xsolla;
    END IF;
END $$;

CREATE TABLE bevy_xsolla.versions (
    version integer PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now()
);

-- Numbers above 2^63 are stored as negative ones.
CREATE TABLE bevy_xsolla.orders (
    project_id bigint NOT NULL,
    order_id   bigint NOT NULL,
    -- The id of the player, as `UserId::as_str` has it. A backslash is doubled, and a zero byte is `\0`.
    user_id    text NOT NULL,
    -- open: it is followed. granted: the game was told to grant it. acknowledged: the game has granted it.
    -- canceled: it was refunded, and the game was told. A later version may add others.
    entry      text NOT NULL,
    entered_at timestamptz NOT NULL,
    -- The number of the server that follows it, which it drew when it started. Another one cannot write.
    server     bigint NOT NULL,
    -- Whether the game has granted it.
    is_granted boolean NOT NULL,
    -- Whether the game has taken back what it brought.
    is_taken_back boolean NOT NULL DEFAULT false,
    PRIMARY KEY (project_id, order_id)
);

-- A hash, because the id of a player may be longer than what a tree takes.
CREATE INDEX orders_of_user ON bevy_xsolla.orders USING hash (user_id);

-- The refunds that a game has not taken back. There are few, and a server looks for them again and again.
CREATE INDEX refunds_to_take_back ON bevy_xsolla.orders (project_id)
    WHERE entry = 'canceled' AND is_granted AND NOT is_taken_back;

-- For the game's own transaction: notes that it grants an order. If this is false, the order was granted before, or
-- refunded, and the game grants nothing.
CREATE FUNCTION bevy_xsolla.note_grant(project_id bigint, order_id bigint, user_id text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bevy_xsolla.orders AS o (project_id, order_id, user_id, entry, entered_at, server, is_granted)
    VALUES (note_grant.project_id, note_grant.order_id, replace(note_grant.user_id, '\', '\\'), 'acknowledged', now(), 0,
        true)
    ON CONFLICT ON CONSTRAINT orders_pkey
    DO UPDATE SET entry = 'acknowledged', entered_at = now(), is_granted = true
    WHERE o.entry IN ('open', 'granted') AND NOT o.is_granted AND NOT o.is_taken_back;
    RETURN FOUND;
END $$;

-- For the game's own transaction: notes that it takes back what an order brought. If this is false, the order was not
-- granted, or was taken back before, and there is nothing to take back. After it, the order is granted no more.
CREATE FUNCTION bevy_xsolla.note_refund(project_id bigint, order_id bigint, user_id text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    was_granted boolean;
BEGIN
    INSERT INTO bevy_xsolla.orders AS o
        (project_id, order_id, user_id, entry, entered_at, server, is_granted, is_taken_back)
    VALUES (note_refund.project_id, note_refund.order_id, replace(note_refund.user_id, '\', '\\'), 'canceled', now(),
        0, false, true)
    ON CONFLICT ON CONSTRAINT orders_pkey
    DO UPDATE SET entry = 'canceled', entered_at = now(), is_taken_back = true
    WHERE NOT o.is_taken_back
    RETURNING o.is_granted INTO was_granted;
    RETURN COALESCE(was_granted, false);
END $$;

INSERT INTO bevy_xsolla.versions (version) VALUES (1);
