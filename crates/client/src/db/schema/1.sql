-- Small values that stand alone: the session's tokens, the clock of the last plan, …
CREATE TABLE setting (
    key TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Who this device is. At most one row; it survives the loss of all MLS state.
CREATE TABLE identity (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    -- Ed25519 secrets: the account's, and the device's that signs in MLS.
    identity_secret BLOB NOT NULL,
    signature_secret BLOB NOT NULL,
    -- proto::credential, as it stands in the MLS leaf.
    credential BLOB NOT NULL
);

-- People. One's own account has a row too.
CREATE TABLE contact (
    account BLOB NOT NULL PRIMARY KEY,
    phone TEXT,
    name TEXT,
    -- The pinned identity key, and whether the person compared the safety number for exactly this key.
    identity_key BLOB,
    verified INTEGER NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0,
    -- A number that they say is theirs; moves to `phone` when the server confirms it.
    claimed_phone TEXT,
    -- What they say about themselves, and their picture: JPEG, PNG or WebP.
    about TEXT,
    picture BLOB
) WITHOUT ROWID;
CREATE INDEX contact_phone ON contact (phone) WHERE phone IS NOT NULL;

-- address_book/: the names that this person gives to numbers.
CREATE TABLE address_book (
    -- E.164.
    phone TEXT NOT NULL PRIMARY KEY,
    -- NULL: taken out.
    name TEXT,
    -- When and on which device that was said: the newest counts.
    stamp_ms INTEGER NOT NULL,
    stamp_device BLOB NOT NULL
) WITHOUT ROWID;

-- Numbers of it that had no account when the server was asked.
CREATE TABLE nobody (
    phone TEXT NOT NULL PRIMARY KEY,
    asked_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE conversation (
    conversation BLOB NOT NULL PRIMARY KEY,
    -- conversation::Kind: 0 direct, 1 group, 2 self chat.
    kind INTEGER NOT NULL,
    -- conversation::Standing, of a group: 0 member, or about to be one; 1 left; 2 removed; 3 distrusted.
    standing INTEGER NOT NULL DEFAULT 0,
    -- The other account of a direct conversation, one's own in the self chat; not known before this device is in it.
    account BLOB,
    -- Whether the log exists at the server, as far as this device knows.
    created INTEGER NOT NULL DEFAULT 0,
    -- Whether this device ever was in the group: what came before is nothing that it lost.
    joined INTEGER NOT NULL DEFAULT 0,
    -- Everything up to here is in this database.
    cursor INTEGER NOT NULL DEFAULT 0,
    -- The group's MLS epoch; NULL while this device is not in it.
    epoch INTEGER,
    -- One's own read watermark, as this device knows it.
    read INTEGER NOT NULL DEFAULT 0,
    -- Whether one's own profile went out here.
    profile_told INTEGER NOT NULL DEFAULT 0,
    -- When something last happened in it; orders the list.
    active_ms INTEGER NOT NULL DEFAULT 0,
    -- Of a group: what every other member has at least, as the newest plan told.
    floor_delivered INTEGER NOT NULL DEFAULT 0,
    floor_read INTEGER NOT NULL DEFAULT 0,
    -- Of a group: the newest commit that this device applied; up to there it knows who was in when.
    applied_seq INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX conversation_active ON conversation (active_ms);

CREATE TABLE message (
    -- Order of arrival or writing; the second half of a position.
    local INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL,
    conversation BLOB NOT NULL,
    -- UNSENT until the server gave it one.
    seq INTEGER NOT NULL,
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    own INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    -- message::Kind. `text` is the text, or why, or which notice.
    kind INTEGER NOT NULL,
    text TEXT,
    reply_to BLOB,
    -- Binds what points at this message: content::digest. NULL for what has no content.
    digest BLOB,
    -- Seq of the newest edit that was applied, 0 for none.
    edited INTEGER NOT NULL DEFAULT 0,
    -- Whether it counts as unread for those who have not seen it.
    counts INTEGER NOT NULL,
    -- 0 waits or is sent (the seq tells), 1 failed for good.
    state INTEGER NOT NULL DEFAULT 0,
    -- Why it failed, for people.
    failure TEXT,
    -- The content, of what is more than a text.
    detail BLOB,
    -- Who deleted it for everyone.
    deleted_by BLOB,
    -- How long it may be kept, and until when: that is known with its seq. NULL: for good.
    lifetime_s INTEGER,
    expires_ms INTEGER
);
CREATE UNIQUE INDEX message_id ON message (message);
CREATE INDEX message_position ON message (conversation, seq, local);
CREATE INDEX message_expires ON message (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX message_unread ON message (conversation, seq) WHERE counts = 1 AND own = 0;

CREATE TABLE reaction (
    conversation BLOB NOT NULL,
    message BLOB NOT NULL,
    account BLOB NOT NULL,
    emoji TEXT NOT NULL,
    -- Seq of the entry that gave it: in one total order the last one counts.
    seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, message, account)
) WITHOUT ROWID;

-- message/poll.rs: the choices of each person, a byte for each. Empty where the vote was taken back.
CREATE TABLE vote (
    conversation BLOB NOT NULL,
    message BLOB NOT NULL,
    account BLOB NOT NULL,
    choices BLOB NOT NULL,
    -- Seq of the entry that gave it: in one total order the last one counts.
    seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, message, account)
) WITHOUT ROWID;

-- Edits, deletions and reactions whose message is not here (yet).
CREATE TABLE orphan (
    conversation BLOB NOT NULL,
    target BLOB NOT NULL,
    seq INTEGER NOT NULL,
    account BLOB NOT NULL,
    message BLOB NOT NULL,
    content BLOB NOT NULL,
    expires_ms INTEGER,
    PRIMARY KEY (conversation, target, seq)
) WITHOUT ROWID;
CREATE INDEX orphan_expires ON orphan (expires_ms) WHERE expires_ms IS NOT NULL;

-- message/pin.rs: messages that are pinned for everybody; `pinned` 0 remembers that one was taken off.
CREATE TABLE pin (
    conversation BLOB NOT NULL,
    message BLOB NOT NULL,
    pinned INTEGER NOT NULL,
    -- Seq of the entry that said so: in one total order the last one counts.
    seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, message)
) WITHOUT ROWID;

-- chat_state: what one keeps about chats and messages for oneself.
CREATE TABLE chat_state (
    conversation BLOB NOT NULL,
    -- Empty where it is about the whole conversation.
    message BLOB NOT NULL,
    -- chat_state::Part.
    part INTEGER NOT NULL,
    -- NULL: as it is from the start.
    value,
    -- When and on which device it was said: the newest counts.
    stamp_ms INTEGER NOT NULL,
    stamp_device BLOB NOT NULL,
    PRIMARY KEY (conversation, part, message)
) WITHOUT ROWID;
CREATE INDEX chat_state_part ON chat_state (part, stamp_ms) WHERE value IS NOT NULL;

-- What is kept about a message goes with it.
CREATE TRIGGER message_gone AFTER DELETE ON message BEGIN
    DELETE FROM reaction WHERE conversation = old.conversation AND message = old.message;
    DELETE FROM search WHERE rowid = old.local;
    DELETE FROM vote WHERE conversation = old.conversation AND message = old.message;
    DELETE FROM pin WHERE conversation = old.conversation AND message = old.message;
    DELETE FROM chat_state WHERE conversation = old.conversation AND part = 0 AND message = old.message;
END;
CREATE TRIGGER message_emptied AFTER UPDATE OF kind ON message WHEN new.kind IN (1, 5) BEGIN
    DELETE FROM reaction WHERE conversation = old.conversation AND message = old.message;
    DELETE FROM vote WHERE conversation = old.conversation AND message = old.message;
    DELETE FROM pin WHERE conversation = old.conversation AND message = old.message;
    DELETE FROM chat_state WHERE conversation = old.conversation AND part = 0 AND message = old.message;
END;

-- message/timer.rs: how long messages of a direct conversation stay; a group says it in its profile.
CREATE TABLE timer (
    conversation BLOB NOT NULL PRIMARY KEY,
    -- NULL: for good.
    seconds INTEGER,
    -- Seq of the entry that said so, 0 where it was only seen in messages.
    seq INTEGER NOT NULL
) WITHOUT ROWID;
-- search.rs: the words of messages, by message.local. Triggers keep it in step, whoever changes a message. What is deleted
-- leaves no trace in it. Combining marks belong to words; how words are folded: db/words.rs.
CREATE VIRTUAL TABLE search USING fts5 (
    words, tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER search_added AFTER INSERT ON message WHEN message_words(new.kind, new.text, new.message, new.detail) IS NOT NULL BEGIN
    INSERT INTO search (rowid, words) VALUES (new.local, message_words(new.kind, new.text, new.message, new.detail));
END;
CREATE TRIGGER search_changed AFTER UPDATE OF kind, text, detail ON message BEGIN
    DELETE FROM search WHERE rowid = old.local;
    INSERT INTO search (rowid, words) SELECT new.local, message_words(new.kind, new.text, new.message, new.detail)
        WHERE message_words(new.kind, new.text, new.message, new.detail) IS NOT NULL;
END;

-- Own entries that were acknowledged above the cursor: it passes over them.
CREATE TABLE ahead (
    conversation BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;

-- What waits to be appended, in order.
CREATE TABLE outbox (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL UNIQUE,
    conversation BLOB NOT NULL,
    silent INTEGER NOT NULL,
    -- The message that this one changes: shown as changed while it waits here.
    target BLOB,
    -- The plaintext stays until the acknowledgement, so that it can be encrypted again for another epoch.
    content BLOB NOT NULL,
    ciphertext BLOB,
    epoch INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try_ms INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX outbox_conversation ON outbox (conversation, position);
CREATE INDEX outbox_target ON outbox (target) WHERE target IS NOT NULL;

-- An own commit whose fate is not known yet: at most one for each conversation. `frame` is proto::frame::Commit in CBOR.
CREATE TABLE own_commit (
    conversation BLOB NOT NULL PRIMARY KEY,
    message BLOB NOT NULL,
    frame BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try_ms INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE watermark (
    conversation BLOB NOT NULL,
    account BLOB NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    read INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation, account)
) WITHOUT ROWID;

-- When whose watermark passed own messages: for message info. `kind`: 0 delivered, 1 read.
CREATE TABLE watermark_move (
    conversation BLOB NOT NULL,
    account BLOB NOT NULL,
    kind INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, account, kind, seq)
) WITHOUT ROWID;

-- Welcomes from the inbox whose commit was not seen in the conversation's log yet.
CREATE TABLE pending_welcome (
    conversation BLOB NOT NULL,
    commit_id BLOB NOT NULL,
    -- Who sent it.
    account BLOB NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (conversation, commit_id)
);

-- Durable work that is not a message: upload key packages, fetch a group info, …
CREATE TABLE job (
    job INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    subject BLOB NOT NULL,
    payload BLOB,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, subject)
);

-- group/member.rs: who is in a group, as its MLS state says.
CREATE TABLE member (
    conversation BLOB NOT NULL,
    account BLOB NOT NULL,
    admin INTEGER NOT NULL,
    away INTEGER NOT NULL,
    -- The commit since which this device knows them in it: what was said before is not theirs to confirm.
    since_seq INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, account)
) WITHOUT ROWID;

-- The group's rules as they were last seen: CBOR of proto::group::GroupRules.
CREATE TABLE group_rules (
    conversation BLOB NOT NULL PRIMARY KEY,
    rules BLOB NOT NULL
) WITHOUT ROWID;

-- group/leave.rs: who left and still has leaves in the MLS group, with the proof for the commit that removes them.
CREATE TABLE leaving (
    conversation BLOB NOT NULL,
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (conversation, account)
) WITHOUT ROWID;

-- device.rs: devices that were logged out and still have leaves, as the logs say.
CREATE TABLE gone (
    conversation BLOB NOT NULL,
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    PRIMARY KEY (conversation, account, device)
) WITHOUT ROWID;

-- group/repair.rs: devices that could not follow a commit which only members can see to be bad, and did not come back yet.
CREATE TABLE astray (
    conversation BLOB NOT NULL,
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    PRIMARY KEY (conversation, account, device)
) WITHOUT ROWID;

-- device.rs: devices that their own account threw out for good. Nothing is encrypted for them any more.
CREATE TABLE revoked (
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    PRIMARY KEY (account, device)
) WITHOUT ROWID;

-- device.rs: of those, where a log told of it, or they were taken out. No later commit that brings them in is taken.
CREATE TABLE barred (
    conversation BLOB NOT NULL,
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, account, device)
) WITHOUT ROWID;

-- group/intent.rs: what is to be changed in a group, in order. `content`: Intent in JSON.
CREATE TABLE intent (
    intent INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation BLOB NOT NULL,
    content BLOB NOT NULL,
    -- The own commit that does it, while there is one.
    commit_id BLOB
);
CREATE INDEX intent_conversation ON intent (conversation, intent);

-- group/join.rs: groups that this device comes into by a link, with the link's secret.
CREATE TABLE joining (
    conversation BLOB NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
) WITHOUT ROWID;

-- group/invite.rs: the secrets of links that were made here.
CREATE TABLE invite_secret (
    conversation BLOB NOT NULL,
    invite BLOB NOT NULL,
    secret BLOB NOT NULL,
    PRIMARY KEY (conversation, invite)
) WITHOUT ROWID;

-- group/profile.rs: how a group presents itself. `seq`: of the newest entry that said so.
CREATE TABLE group_profile (
    conversation BLOB NOT NULL PRIMARY KEY,
    name TEXT,
    description TEXT,
    -- JPEG, PNG or WebP.
    picture BLOB,
    -- The disappearing timer in seconds.
    timer_s INTEGER,
    seq INTEGER NOT NULL
) WITHOUT ROWID;

-- mls/held.rs: the MLS group of each conversation.
CREATE TABLE mls_group (
    conversation BLOB NOT NULL PRIMARY KEY,
    -- The conversation's id and the generation, 4 bytes big endian.
    group_id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    -- 1: joined by an external commit that is not known to be in the log.
    joining INTEGER NOT NULL,
    -- SHA-256 of the own commit whose fate is not known.
    pending BLOB,
    -- Random, new with each change: tells whether a loaded group is still the stored one.
    stamp INTEGER NOT NULL
) WITHOUT ROWID;

-- mls/storage.rs: what OpenMLS stores. `value` begins with the format version.
CREATE TABLE mls_state (
    kind INTEGER NOT NULL,
    group_id BLOB NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    -- Of key packages only, seconds since 1970.
    made_s INTEGER,
    -- Of key packages: this database was put back to a copy that had them, so they may have been used before.
    copied INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, kind, key)
);
CREATE INDEX mls_state_made ON mls_state (made_s) WHERE made_s IS NOT NULL;

-- backup/: the account's backup as this device makes it. At most one row.
CREATE TABLE backup (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    -- Random: what manifests are sealed under.
    key BLOB NOT NULL,
    -- The key as the server and files have it, and how the secret that unwraps it becomes a key: backup::Lock in CBOR.
    lock BLOB NOT NULL,
    -- The newest complete one at the server.
    generation INTEGER NOT NULL DEFAULT 0,
    manifest BLOB,
    made_ms INTEGER NOT NULL DEFAULT 0,
    -- Whether the chunks changed since.
    stale INTEGER NOT NULL DEFAULT 1,
    -- Whether blobs of a former device may be left at the server.
    tidy INTEGER NOT NULL DEFAULT 0,
    -- When the person last proved to know the secret.
    proved_ms INTEGER NOT NULL
);

-- The chunks that the backup has. `block`: of messages, by message.local / 2048; -1 is everything else.
CREATE TABLE archive_chunk (
    block INTEGER NOT NULL,
    part INTEGER NOT NULL,
    blob BLOB NOT NULL,
    key BLOB NOT NULL,
    hash BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    -- SHA-256 of the plaintext: what did not change is not sent again.
    plain BLOB NOT NULL,
    -- Whether the server has it.
    stored INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (block, part)
) WITHOUT ROWID;

-- Blocks whose messages changed since they were packed. `queued`: the run that is under way packs it.
CREATE TABLE archive_dirty (
    block INTEGER NOT NULL PRIMARY KEY,
    queued INTEGER NOT NULL DEFAULT 0
);

-- Blobs at the server that no manifest names any more, once the next one is complete.
CREATE TABLE archive_garbage (
    blob BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- archive/import: an archive that is being taken over. At most one row.
CREATE TABLE import (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    key BLOB NOT NULL,
    -- The manifest that is to be fetched next.
    manifest BLOB,
    -- Messages so far, and about how many there are.
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    -- Chunks that could not be used.
    damaged INTEGER NOT NULL DEFAULT 0,
    -- 1: another device's history, whose blobs are for this device alone.
    history INTEGER NOT NULL DEFAULT 0
);

-- Chunks that are still to be fetched, in order. `chunk`: archive::chunk::ChunkRef in CBOR.
CREATE TABLE import_chunk (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    chunk BLOB NOT NULL
);

-- Messages that were deleted here: an archive does not bring them back.
CREATE TABLE deleted (
    message BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- In triggers only `ON CONFLICT DO NOTHING` keeps its meaning: the policy of the statement that fires one, as of an upsert,
-- replaces any `OR IGNORE`.

-- archive/send: messages that changed while history is on its way to a new device: they are sent once more at the end.
CREATE TABLE history_dirty (
    message BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;
CREATE TRIGGER history_message_added AFTER INSERT ON message
    WHEN EXISTS (SELECT 1 FROM job WHERE kind = 'send_history') BEGIN
    INSERT INTO history_dirty (message) VALUES (new.message) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER history_message_changed AFTER UPDATE ON message
    WHEN EXISTS (SELECT 1 FROM job WHERE kind = 'send_history') BEGIN
    INSERT INTO history_dirty (message) VALUES (new.message) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER history_reaction_added AFTER INSERT ON reaction
    WHEN EXISTS (SELECT 1 FROM job WHERE kind = 'send_history') BEGIN
    INSERT INTO history_dirty (message) VALUES (new.message) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER history_reaction_changed AFTER UPDATE ON reaction
    WHEN EXISTS (SELECT 1 FROM job WHERE kind = 'send_history') BEGIN
    INSERT INTO history_dirty (message) VALUES (new.message) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER history_vote_added AFTER INSERT ON vote
    WHEN EXISTS (SELECT 1 FROM job WHERE kind = 'send_history') BEGIN
    INSERT INTO history_dirty (message) VALUES (new.message) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER history_vote_changed AFTER UPDATE ON vote
    WHEN EXISTS (SELECT 1 FROM job WHERE kind = 'send_history') BEGIN
    INSERT INTO history_dirty (message) VALUES (new.message) ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER message_added AFTER INSERT ON message WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO archive_dirty (block) VALUES (new.local >> 11) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER message_changed AFTER UPDATE ON message WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO archive_dirty (block) VALUES (new.local >> 11) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER message_deleted AFTER DELETE ON message BEGIN
    INSERT INTO deleted (message) VALUES (old.message) ON CONFLICT DO NOTHING;
    INSERT INTO archive_dirty (block) SELECT old.local >> 11 WHERE EXISTS (SELECT 1 FROM backup) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER reaction_added AFTER INSERT ON reaction WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO archive_dirty (block) SELECT local >> 11 FROM message WHERE message = new.message ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER reaction_changed AFTER UPDATE ON reaction WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO archive_dirty (block) SELECT local >> 11 FROM message WHERE message = new.message ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER reaction_deleted AFTER DELETE ON reaction WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO archive_dirty (block) SELECT local >> 11 FROM message WHERE message = old.message ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER vote_added AFTER INSERT ON vote WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO archive_dirty (block) SELECT local >> 11 FROM message WHERE message = new.message ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER vote_changed AFTER UPDATE ON vote WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO archive_dirty (block) SELECT local >> 11 FROM message WHERE message = new.message ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER vote_deleted AFTER DELETE ON vote WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO archive_dirty (block) SELECT local >> 11 FROM message WHERE message = old.message ON CONFLICT DO NOTHING;
END;
