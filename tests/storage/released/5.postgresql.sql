CREATE TABLE arrival (
	id TEXT COLLATE "C" NOT NULL, 
	at BIGINT NOT NULL, 
	"user" TEXT COLLATE "C" NOT NULL, 
	address TEXT COLLATE "C" NOT NULL, 
	why TEXT COLLATE "C" NOT NULL, 
	account TEXT COLLATE "C" NOT NULL, 
	uidl TEXT COLLATE "C" NOT NULL, 
	header_message_id TEXT COLLATE "C" NOT NULL, 
	sender TEXT COLLATE "C" NOT NULL, 
	subject TEXT COLLATE "C" NOT NULL, 
	size BIGINT NOT NULL, 
	place TEXT COLLATE "C" NOT NULL, 
	file TEXT COLLATE "C" NOT NULL, 
	node TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	reason TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	left_at BIGINT, 
	given_to TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	left_by TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	folder TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	validity TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	CHECK (place IN ('inbox', 'quarantine', 'deleted'))
);
CREATE INDEX arrival_by_header_id ON arrival (header_message_id);
CREATE INDEX arrival_by_uidl ON arrival (uidl);
CREATE INDEX arrival_quarantined ON arrival (id) WHERE place = 'quarantine';
CREATE TABLE content (
	message_id TEXT COLLATE "C" NOT NULL, 
	version INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	data BYTEA NOT NULL, 
	PRIMARY KEY (message_id, version, seq)
);
CREATE TABLE counter (
	account TEXT COLLATE "C" NOT NULL, 
	day TEXT COLLATE "C" NOT NULL, 
	recipients BIGINT NOT NULL, 
	PRIMARY KEY (account, day)
);
CREATE TABLE mailbox (
	account TEXT COLLATE "C" NOT NULL, 
	host TEXT COLLATE "C" NOT NULL, 
	login TEXT COLLATE "C" NOT NULL, 
	last_ok BIGINT, 
	error TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	node TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	token TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	lease_until BIGINT, 
	folders TEXT COLLATE "C" DEFAULT '{}' NOT NULL, 
	PRIMARY KEY (account)
);
CREATE TABLE message (
	id TEXT COLLATE "C" NOT NULL, 
	received_at BIGINT NOT NULL, 
	"user" TEXT COLLATE "C", 
	account TEXT COLLATE "C" NOT NULL, 
	rule TEXT COLLATE "C" NOT NULL, 
	reverse_path TEXT COLLATE "C" NOT NULL, 
	header_message_id TEXT COLLATE "C" NOT NULL, 
	subject TEXT COLLATE "C" NOT NULL, 
	size BIGINT NOT NULL, 
	client TEXT COLLATE "C" NOT NULL, 
	header BYTEA NOT NULL, 
	archive_header BYTEA, 
	eightbit BOOLEAN NOT NULL, 
	smtputf8 BOOLEAN NOT NULL, 
	notice BOOLEAN NOT NULL, 
	why TEXT COLLATE "C" NOT NULL, 
	envelope_id TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	ret TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	about TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX message_by_about ON message (about) WHERE about <> '';
CREATE INDEX message_by_header_id ON message (header_message_id);
CREATE TABLE meta (
	key TEXT COLLATE "C" NOT NULL, 
	value TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (key)
);
CREATE TABLE pause (
	account TEXT COLLATE "C" NOT NULL, 
	since BIGINT NOT NULL, 
	until BIGINT, 
	reason TEXT COLLATE "C" NOT NULL, 
	by_person BOOLEAN NOT NULL, 
	probes INTEGER NOT NULL, 
	next_probe BIGINT, 
	fingerprint TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (account, since)
);
CREATE UNIQUE INDEX pause_lasting ON pause (account) WHERE until IS NULL;
CREATE TABLE seen (
	account TEXT COLLATE "C" NOT NULL, 
	folder TEXT COLLATE "C" NOT NULL, 
	validity TEXT COLLATE "C" NOT NULL, 
	uid TEXT COLLATE "C" NOT NULL, 
	first_seen BIGINT NOT NULL, 
	fetched BOOLEAN NOT NULL, 
	gone_at BIGINT, 
	PRIMARY KEY (account, folder, validity, uid)
);
CREATE TABLE delivery (
	id TEXT COLLATE "C" NOT NULL, 
	message_id TEXT COLLATE "C" NOT NULL, 
	destination TEXT COLLATE "C" NOT NULL, 
	version INTEGER NOT NULL, 
	state TEXT COLLATE "C" NOT NULL, 
	due BIGINT NOT NULL, 
	since BIGINT NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	tried INTEGER DEFAULT '0' NOT NULL, 
	uncertain INTEGER NOT NULL, 
	marked BOOLEAN DEFAULT false NOT NULL, 
	token TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	node TEXT COLLATE "C" NOT NULL, 
	lease_until BIGINT, 
	source TEXT COLLATE "C" DEFAULT '-' NOT NULL, 
	warned BOOLEAN DEFAULT false NOT NULL, 
	PRIMARY KEY (id), 
	CHECK (state IN ('queued', 'active', 'held', 'done')), 
	FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
);
CREATE INDEX delivery_by_message ON delivery (message_id);
CREATE INDEX delivery_open ON delivery (state, destination, source, due, id) WHERE state <> 'done';
CREATE TABLE event (
	message_id TEXT COLLATE "C" NOT NULL, 
	at BIGINT NOT NULL, 
	what TEXT COLLATE "C" NOT NULL, 
	detail TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (message_id, at, what, detail), 
	FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
);
CREATE TABLE recipient (
	message_id TEXT COLLATE "C" NOT NULL, 
	n INTEGER NOT NULL, 
	delivery_id TEXT COLLATE "C" NOT NULL, 
	address TEXT COLLATE "C" NOT NULL, 
	kind TEXT COLLATE "C" NOT NULL, 
	outcome TEXT COLLATE "C" DEFAULT 'pending' NOT NULL, 
	code INTEGER DEFAULT '0' NOT NULL, 
	enhanced TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	reply TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	notify TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	orcpt TEXT COLLATE "C" DEFAULT '' NOT NULL, 
	PRIMARY KEY (message_id, n), 
	CHECK (outcome IN ('pending', 'delivered', 'bounced')), 
	FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
);
CREATE TABLE attempt (
	delivery_id TEXT COLLATE "C" NOT NULL, 
	n INTEGER NOT NULL, 
	key TEXT COLLATE "C" NOT NULL, 
	at BIGINT NOT NULL, 
	seconds DOUBLE PRECISION NOT NULL, 
	code INTEGER NOT NULL, 
	enhanced TEXT COLLATE "C" NOT NULL, 
	reply TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (delivery_id, n), 
	FOREIGN KEY(delivery_id) REFERENCES delivery (id) ON DELETE CASCADE
);
INSERT INTO "arrival" ("id", "at", "user", "address", "why", "account", "uidl", "header_message_id", "sender", "subject", "size", "place", "file", "node", "reason", "left_at", "given_to", "left_by", "folder", "validity") VALUES ('01arrival00000000000000000', 1780000000011, 'anna', 'anna@example.com', 'named in To', 'sales', 'uid-0', '<c0@example.net>', 'Customer <customer@example.net>', 'collected 0', 120, 'inbox', 'Puid-0anna', '', '', NULL, '', '', '', '');
INSERT INTO "arrival" ("id", "at", "user", "address", "why", "account", "uidl", "header_message_id", "sender", "subject", "size", "place", "file", "node", "reason", "left_at", "given_to", "left_by", "folder", "validity") VALUES ('01arrival00000000000000001', 1780000000012, 'bert', 'bert@example.com', 'named in To', 'bert', 'sha256-00', '<c1@example.net>', 'Customer <customer@example.net>', 'collected 1', 130, 'quarantine', 'Psha256bert', 'n1', 'the folder is not writable', NULL, '', '', '', '');
INSERT INTO "content" ("message_id", "version", "seq", "data") VALUES ('01released0000000000000001', 0, 0, '\x68656c6c6f0d0a');
INSERT INTO "content" ("message_id", "version", "seq", "data") VALUES ('01released0000000000000002', 0, 0, '\x68656c6c6f0d0a');
INSERT INTO "content" ("message_id", "version", "seq", "data") VALUES ('01released0000000000000003', 0, 0, '\x68656c6c6f0d0a');
INSERT INTO "content" ("message_id", "version", "seq", "data") VALUES ('01released0000000000000004', 0, 0, '\x68656c6c6f0d0a');
INSERT INTO "content" ("message_id", "version", "seq", "data") VALUES ('01released0000000000000006', 0, 0, '\x68656c6c6f0d0a');
INSERT INTO "counter" ("account", "day", "recipients") VALUES ('sales', '2026-05-28', 2);
INSERT INTO "counter" ("account", "day", "recipients") VALUES ('sales', '2026-05-29', 7);
INSERT INTO "mailbox" ("account", "host", "login", "last_ok", "error", "node", "token", "lease_until", "folders") VALUES ('bert', 'old.example.net pop.example.net', 'bert@example.com', NULL, 'login: [AUTH] wrong password', '', '', NULL, '{"": ""}');
INSERT INTO "mailbox" ("account", "host", "login", "last_ok", "error", "node", "token", "lease_until", "folders") VALUES ('sales', 'pop.example.net', 'sales', 1780000000000, '', '', '', NULL, '{"": ""}');
INSERT INTO "message" ("id", "received_at", "user", "account", "rule", "reverse_path", "header_message_id", "subject", "size", "client", "header", "archive_header", "eightbit", "smtputf8", "notice", "why", "envelope_id", "ret", "about") VALUES ('01released0000000000000000', 1780000000000, 'anna', 'sales', '1a', 'sales@example.com', '<0@example.com>', 'mail 0', 100, '192.0.2.9', '\x46726f6d3a2073616c6573406578616d706c652e636f6d0d0a5375626a6563743a206f6e650d0a', NULL, false, false, false, 'Rule 1a: it matches.', '', '', '');
INSERT INTO "message" ("id", "received_at", "user", "account", "rule", "reverse_path", "header_message_id", "subject", "size", "client", "header", "archive_header", "eightbit", "smtputf8", "notice", "why", "envelope_id", "ret", "about") VALUES ('01released0000000000000001', 1780000000001, 'anna', 'sales', '1a', 'sales@example.com', '<1@example.com>', 'mail 1', 100, '192.0.2.9', '\x46726f6d3a2073616c6573406578616d706c652e636f6d0d0a5375626a6563743a206f6e650d0a', NULL, false, false, false, 'Rule 1a: it matches.', '', '', '');
INSERT INTO "message" ("id", "received_at", "user", "account", "rule", "reverse_path", "header_message_id", "subject", "size", "client", "header", "archive_header", "eightbit", "smtputf8", "notice", "why", "envelope_id", "ret", "about") VALUES ('01released0000000000000002', 1780000000002, 'anna', 'sales', '1a', 'sales@example.com', '<2@example.com>', 'mail 2', 100, '192.0.2.9', '\x46726f6d3a2073616c6573406578616d706c652e636f6d0d0a5375626a6563743a206f6e650d0a', NULL, false, false, false, 'Rule 1a: it matches.', '', '', '');
INSERT INTO "message" ("id", "received_at", "user", "account", "rule", "reverse_path", "header_message_id", "subject", "size", "client", "header", "archive_header", "eightbit", "smtputf8", "notice", "why", "envelope_id", "ret", "about") VALUES ('01released0000000000000003', 1780000000003, 'anna', 'sales', '1a', 'sales@example.com', '<3@example.com>', 'mail 3', 100, '192.0.2.9', '\x46726f6d3a2073616c6573406578616d706c652e636f6d0d0a5375626a6563743a206f6e650d0a', NULL, false, false, false, 'Rule 1a: it matches.', '', '', '');
INSERT INTO "message" ("id", "received_at", "user", "account", "rule", "reverse_path", "header_message_id", "subject", "size", "client", "header", "archive_header", "eightbit", "smtputf8", "notice", "why", "envelope_id", "ret", "about") VALUES ('01released0000000000000004', 1780000000004, NULL, '', 'notice', '', '<4@relay.example.com>', 'notice 4', 100, 'relay', '\x46726f6d3a2073616c6573406578616d706c652e636f6d0d0a5375626a6563743a206e6f746963650d0a', NULL, false, false, true, '', '', '', '01released0000000000000002');
INSERT INTO "message" ("id", "received_at", "user", "account", "rule", "reverse_path", "header_message_id", "subject", "size", "client", "header", "archive_header", "eightbit", "smtputf8", "notice", "why", "envelope_id", "ret", "about") VALUES ('01released0000000000000005', 1780000000005, NULL, '', 'notice', '', '<5@relay.example.com>', 'notice 5', 100, 'relay', '\x46726f6d3a2073616c6573406578616d706c652e636f6d0d0a5375626a6563743a206e6f746963650d0a', NULL, false, false, true, '', '', '', '01released0000000000000002');
INSERT INTO "message" ("id", "received_at", "user", "account", "rule", "reverse_path", "header_message_id", "subject", "size", "client", "header", "archive_header", "eightbit", "smtputf8", "notice", "why", "envelope_id", "ret", "about") VALUES ('01released0000000000000006', 1780000000006, NULL, 'other', 'notice', '', '<6@relay.example.com>', 'notice 6', 100, 'relay', '\x46726f6d3a2073616c6573406578616d706c652e636f6d0d0a5375626a6563743a206e6f746963650d0a', NULL, false, false, true, '', '', '', '01released0000000000000002');
INSERT INTO "meta" ("key", "value") VALUES ('said/clock', '1780000000000');
INSERT INTO "meta" ("key", "value") VALUES ('schema', '5');
INSERT INTO "pause" ("account", "since", "until", "reason", "by_person", "probes", "next_probe", "fingerprint") VALUES ('bert', 1779000000000, 1779000060000, 'by command', true, 0, NULL, '');
INSERT INTO "pause" ("account", "since", "until", "reason", "by_person", "probes", "next_probe", "fingerprint") VALUES ('sales', 1780000000007, NULL, '535 5.7.8 no', false, 1, 1780000060000, 'abc');
INSERT INTO "seen" ("account", "folder", "validity", "uid", "first_seen", "fetched", "gone_at") VALUES ('bert', '', '', 'sha256-00', 1780000000002, true, NULL);
INSERT INTO "seen" ("account", "folder", "validity", "uid", "first_seen", "fetched", "gone_at") VALUES ('sales', '', '', 'left alone', 1779000000000, false, NULL);
INSERT INTO "seen" ("account", "folder", "validity", "uid", "first_seen", "fetched", "gone_at") VALUES ('sales', '', '', 'uid-0', 1779000000000, true, 1780000000001);
INSERT INTO "seen" ("account", "folder", "validity", "uid", "first_seen", "fetched", "gone_at") VALUES ('sales', '', '', 'uid-1', 1780000000000, true, NULL);
INSERT INTO "delivery" ("id", "message_id", "destination", "version", "state", "due", "since", "attempts", "tried", "uncertain", "marked", "token", "node", "lease_until", "source", "warned") VALUES ('01delivery0000000000000000', '01released0000000000000000', 'account:sales', 0, 'done', 0, 1780000000000, 1, 1, 0, false, '', '', NULL, '-', false);
INSERT INTO "delivery" ("id", "message_id", "destination", "version", "state", "due", "since", "attempts", "tried", "uncertain", "marked", "token", "node", "lease_until", "source", "warned") VALUES ('01delivery0000000000000001', '01released0000000000000001', 'account:sales', 0, 'queued', 1780000000001, 1780000000001, 0, 0, 0, false, '', '', NULL, 'anna 192.0.2.9', false);
INSERT INTO "delivery" ("id", "message_id", "destination", "version", "state", "due", "since", "attempts", "tried", "uncertain", "marked", "token", "node", "lease_until", "source", "warned") VALUES ('01delivery0000000000000002', '01released0000000000000002', 'account:sales', 0, 'held', 0, 1780000000002, 1, 1, 2, false, '', '', NULL, 'anna 192.0.2.9', false);
INSERT INTO "delivery" ("id", "message_id", "destination", "version", "state", "due", "since", "attempts", "tried", "uncertain", "marked", "token", "node", "lease_until", "source", "warned") VALUES ('01delivery0000000000000003', '01released0000000000000003', 'account:sales', 0, 'active', 1780000000003, 1780000000003, 0, 0, 0, false, '0123456789abcdef', '', NULL, 'anna 192.0.2.9', false);
INSERT INTO "delivery" ("id", "message_id", "destination", "version", "state", "due", "since", "attempts", "tried", "uncertain", "marked", "token", "node", "lease_until", "source", "warned") VALUES ('01delivery0000000000000004', '01released0000000000000004', 'inbox:anna', 0, 'queued', 1780000000004, 1780000000004, 0, 0, 0, false, '', '', NULL, 'relay', false);
INSERT INTO "delivery" ("id", "message_id", "destination", "version", "state", "due", "since", "attempts", "tried", "uncertain", "marked", "token", "node", "lease_until", "source", "warned") VALUES ('01delivery0000000000000005', '01released0000000000000005', 'inbox:bert', 0, 'done', 0, 1780000000005, 0, 1, 0, false, '', '', NULL, 'relay', false);
INSERT INTO "delivery" ("id", "message_id", "destination", "version", "state", "due", "since", "attempts", "tried", "uncertain", "marked", "token", "node", "lease_until", "source", "warned") VALUES ('01delivery0000000000000006', '01released0000000000000006', 'account:other', 0, 'queued', 1780000000006, 1780000000006, 0, 0, 0, false, '', '', NULL, 'relay', false);
INSERT INTO "event" ("message_id", "at", "what", "detail") VALUES ('01released0000000000000002', 1780000000008, 'possible_duplicate', 'connection lost at the dot');
INSERT INTO "event" ("message_id", "at", "what", "detail") VALUES ('01released0000000000000003', 1780000000009, 'held', 'by a person');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000000', 0, '01delivery0000000000000000', 'customer@example.net', 'to', 'delivered', 250, '2.0.0', 'taken', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000000', 1, '01delivery0000000000000000', 'central@example.com', 'archive', 'delivered', 250, '2.0.0', 'taken', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000001', 0, '01delivery0000000000000001', 'customer@example.net', 'to', 'pending', 0, '', '', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000001', 1, '01delivery0000000000000001', 'central@example.com', 'archive', 'pending', 0, '', '', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000002', 0, '01delivery0000000000000002', 'customer@example.net', 'to', 'pending', 451, '4.3.0', 'later', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000002', 1, '01delivery0000000000000002', 'central@example.com', 'archive', 'delivered', 250, '2.0.0', 'taken', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000003', 0, '01delivery0000000000000003', 'customer@example.net', 'to', 'pending', 0, '', '', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000003', 1, '01delivery0000000000000003', 'central@example.com', 'archive', 'pending', 0, '', '', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000004', 0, '01delivery0000000000000004', 'anna', 'inbox', 'pending', 0, '', '', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000005', 0, '01delivery0000000000000005', 'bert', 'inbox', 'delivered', 250, '2.0.0', 'written', '', '');
INSERT INTO "recipient" ("message_id", "n", "delivery_id", "address", "kind", "outcome", "code", "enhanced", "reply", "notify", "orcpt") VALUES ('01released0000000000000006', 0, '01delivery0000000000000006', 'anna@example.com', 'to', 'pending', 0, '', '', '', '');
INSERT INTO "attempt" ("delivery_id", "n", "key", "at", "seconds", "code", "enhanced", "reply") VALUES ('01delivery0000000000000000', 1, 'k0', 1780000000005, 0.5, 250, '2.0.0', 'taken');
INSERT INTO "attempt" ("delivery_id", "n", "key", "at", "seconds", "code", "enhanced", "reply") VALUES ('01delivery0000000000000002', 1, 'k2', 1780000000006, 0.5, 451, '4.3.0', 'later');
INSERT INTO "attempt" ("delivery_id", "n", "key", "at", "seconds", "code", "enhanced", "reply") VALUES ('01delivery0000000000000005', 1, 'k5', 1780000000010, 0.1, 250, '2.0.0', 'written');
