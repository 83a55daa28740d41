BEGIN TRANSACTION;
CREATE TABLE arrival (
	id TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	user TEXT NOT NULL, 
	address TEXT NOT NULL, 
	why TEXT NOT NULL, 
	account TEXT NOT NULL, 
	uidl TEXT NOT NULL, 
	header_message_id TEXT NOT NULL, 
	sender TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	place TEXT NOT NULL, 
	file TEXT NOT NULL, 
	node TEXT DEFAULT '' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	left_at BIGINT, 
	given_to TEXT DEFAULT '' NOT NULL, 
	left_by TEXT DEFAULT '' NOT NULL, 
	folder TEXT DEFAULT '' NOT NULL, 
	validity TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	CHECK (place IN ('inbox', 'quarantine', 'deleted'))
);
INSERT INTO "arrival" VALUES('01arrival00000000000000000',1780000000011,'anna','anna@example.com','named in To','sales','uid-0','<c0@example.net>','Customer <customer@example.net>','collected 0',120,'inbox','Puid-0anna','','',NULL,'','','','');
INSERT INTO "arrival" VALUES('01arrival00000000000000001',1780000000012,'bert','bert@example.com','named in To','bert','sha256-00','<c1@example.net>','Customer <customer@example.net>','collected 1',130,'quarantine','Psha256bert','n1','the folder is not writable',NULL,'','','','');
CREATE TABLE attempt (
	delivery_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	seconds DOUBLE NOT NULL, 
	code INTEGER NOT NULL, 
	enhanced TEXT NOT NULL, 
	reply TEXT NOT NULL, 
	PRIMARY KEY (delivery_id, n), 
	FOREIGN KEY(delivery_id) REFERENCES delivery (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "attempt" VALUES('01delivery0000000000000000',1,'k0',1780000000005,0.5,250,'2.0.0','taken');
INSERT INTO "attempt" VALUES('01delivery0000000000000002',1,'k2',1780000000006,0.5,451,'4.3.0','later');
INSERT INTO "attempt" VALUES('01delivery0000000000000005',1,'k5',1780000000010,0.1,250,'2.0.0','written');
CREATE TABLE content (
	message_id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (message_id, version, seq)
);
INSERT INTO "content" VALUES('01released0000000000000001',0,0,X'68656C6C6F0D0A');
INSERT INTO "content" VALUES('01released0000000000000002',0,0,X'68656C6C6F0D0A');
INSERT INTO "content" VALUES('01released0000000000000003',0,0,X'68656C6C6F0D0A');
INSERT INTO "content" VALUES('01released0000000000000004',0,0,X'68656C6C6F0D0A');
INSERT INTO "content" VALUES('01released0000000000000006',0,0,X'68656C6C6F0D0A');
CREATE TABLE counter (
	account TEXT NOT NULL, 
	day TEXT NOT NULL, 
	recipients BIGINT NOT NULL, 
	PRIMARY KEY (account, day)
);
INSERT INTO "counter" VALUES('sales','2026-05-28',2);
INSERT INTO "counter" VALUES('sales','2026-05-29',7);
CREATE TABLE delivery (
	id TEXT NOT NULL, 
	message_id TEXT NOT NULL, 
	destination TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	due BIGINT NOT NULL, 
	since BIGINT NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	tried INTEGER DEFAULT '0' NOT NULL, 
	uncertain INTEGER NOT NULL, 
	marked BOOLEAN DEFAULT false NOT NULL, 
	token TEXT DEFAULT '' NOT NULL, 
	node TEXT NOT NULL, 
	lease_until BIGINT, 
	source TEXT DEFAULT '-' NOT NULL, 
	warned BOOLEAN DEFAULT false NOT NULL, 
	PRIMARY KEY (id), 
	CHECK (state IN ('queued', 'active', 'held', 'done')), 
	FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "delivery" VALUES('01delivery0000000000000000','01released0000000000000000','account:sales',0,'done',0,1780000000000,1,1,0,0,'','',NULL,'-',0);
INSERT INTO "delivery" VALUES('01delivery0000000000000001','01released0000000000000001','account:sales',0,'queued',1780000000001,1780000000001,0,0,0,0,'','',NULL,'anna 192.0.2.9',0);
INSERT INTO "delivery" VALUES('01delivery0000000000000002','01released0000000000000002','account:sales',0,'held',0,1780000000002,1,1,2,0,'','',NULL,'anna 192.0.2.9',0);
INSERT INTO "delivery" VALUES('01delivery0000000000000003','01released0000000000000003','account:sales',0,'active',1780000000003,1780000000003,0,0,0,0,'0123456789abcdef','',NULL,'anna 192.0.2.9',0);
INSERT INTO "delivery" VALUES('01delivery0000000000000004','01released0000000000000004','inbox:anna',0,'queued',1780000000004,1780000000004,0,0,0,0,'','',NULL,'relay',0);
INSERT INTO "delivery" VALUES('01delivery0000000000000005','01released0000000000000005','inbox:bert',0,'done',0,1780000000005,0,1,0,0,'','',NULL,'relay',0);
INSERT INTO "delivery" VALUES('01delivery0000000000000006','01released0000000000000006','account:other',0,'queued',1780000000006,1780000000006,0,0,0,0,'','',NULL,'relay',0);
CREATE TABLE event (
	message_id TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	what TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (message_id, at, what, detail), 
	FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "event" VALUES('01released0000000000000002',1780000000008,'possible_duplicate','connection lost at the dot');
INSERT INTO "event" VALUES('01released0000000000000003',1780000000009,'held','by a person');
CREATE TABLE mailbox (
	account TEXT NOT NULL, 
	host TEXT NOT NULL, 
	login TEXT NOT NULL, 
	last_ok BIGINT, 
	error TEXT DEFAULT '' NOT NULL, 
	node TEXT DEFAULT '' NOT NULL, 
	token TEXT DEFAULT '' NOT NULL, 
	lease_until BIGINT, 
	folders TEXT DEFAULT '{}' NOT NULL, 
	PRIMARY KEY (account)
);
INSERT INTO "mailbox" VALUES('sales','pop.example.net','sales',1780000000000,'','','',NULL,'{"": ""}');
INSERT INTO "mailbox" VALUES('bert','old.example.net pop.example.net','bert@example.com',NULL,'login: [AUTH] wrong password','','',NULL,'{"": ""}');
CREATE TABLE message (
	id TEXT NOT NULL, 
	received_at BIGINT NOT NULL, 
	user TEXT, 
	account TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	reverse_path TEXT NOT NULL, 
	header_message_id TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	client TEXT NOT NULL, 
	header BLOB NOT NULL, 
	archive_header BLOB, 
	eightbit BOOLEAN NOT NULL, 
	smtputf8 BOOLEAN NOT NULL, 
	notice BOOLEAN NOT NULL, 
	why TEXT NOT NULL, 
	envelope_id TEXT DEFAULT '' NOT NULL, 
	ret TEXT DEFAULT '' NOT NULL, 
	about TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "message" VALUES('01released0000000000000000',1780000000000,'anna','sales','1a','sales@example.com','<0@example.com>','mail 0',100,'192.0.2.9',X'46726F6D3A2073616C6573406578616D706C652E636F6D0D0A5375626A6563743A206F6E650D0A',NULL,0,0,0,'Rule 1a: it matches.','','','');
INSERT INTO "message" VALUES('01released0000000000000001',1780000000001,'anna','sales','1a','sales@example.com','<1@example.com>','mail 1',100,'192.0.2.9',X'46726F6D3A2073616C6573406578616D706C652E636F6D0D0A5375626A6563743A206F6E650D0A',NULL,0,0,0,'Rule 1a: it matches.','','','');
INSERT INTO "message" VALUES('01released0000000000000002',1780000000002,'anna','sales','1a','sales@example.com','<2@example.com>','mail 2',100,'192.0.2.9',X'46726F6D3A2073616C6573406578616D706C652E636F6D0D0A5375626A6563743A206F6E650D0A',NULL,0,0,0,'Rule 1a: it matches.','','','');
INSERT INTO "message" VALUES('01released0000000000000003',1780000000003,'anna','sales','1a','sales@example.com','<3@example.com>','mail 3',100,'192.0.2.9',X'46726F6D3A2073616C6573406578616D706C652E636F6D0D0A5375626A6563743A206F6E650D0A',NULL,0,0,0,'Rule 1a: it matches.','','','');
INSERT INTO "message" VALUES('01released0000000000000004',1780000000004,NULL,'','notice','','<4@relay.example.com>','notice 4',100,'relay',X'46726F6D3A2073616C6573406578616D706C652E636F6D0D0A5375626A6563743A206E6F746963650D0A',NULL,0,0,1,'','','','01released0000000000000002');
INSERT INTO "message" VALUES('01released0000000000000005',1780000000005,NULL,'','notice','','<5@relay.example.com>','notice 5',100,'relay',X'46726F6D3A2073616C6573406578616D706C652E636F6D0D0A5375626A6563743A206E6F746963650D0A',NULL,0,0,1,'','','','01released0000000000000002');
INSERT INTO "message" VALUES('01released0000000000000006',1780000000006,NULL,'other','notice','','<6@relay.example.com>','notice 6',100,'relay',X'46726F6D3A2073616C6573406578616D706C652E636F6D0D0A5375626A6563743A206E6F746963650D0A',NULL,0,0,1,'','','','01released0000000000000002');
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema','5');
INSERT INTO "meta" VALUES('said/clock','1780000000000');
CREATE TABLE pause (
	account TEXT NOT NULL, 
	since BIGINT NOT NULL, 
	until BIGINT, 
	reason TEXT NOT NULL, 
	by_person BOOLEAN NOT NULL, 
	probes INTEGER NOT NULL, 
	next_probe BIGINT, 
	fingerprint TEXT NOT NULL, 
	PRIMARY KEY (account, since)
);
INSERT INTO "pause" VALUES('sales',1780000000007,NULL,'535 5.7.8 no',0,1,1780000060000,'abc');
INSERT INTO "pause" VALUES('bert',1779000000000,1779000060000,'by command',1,0,NULL,'');
CREATE TABLE recipient (
	message_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	delivery_id TEXT NOT NULL, 
	address TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	outcome TEXT DEFAULT 'pending' NOT NULL, 
	code INTEGER DEFAULT '0' NOT NULL, 
	enhanced TEXT DEFAULT '' NOT NULL, 
	reply TEXT DEFAULT '' NOT NULL, 
	notify TEXT DEFAULT '' NOT NULL, 
	orcpt TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (message_id, n), 
	CHECK (outcome IN ('pending', 'delivered', 'bounced')), 
	FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "recipient" VALUES('01released0000000000000000',0,'01delivery0000000000000000','customer@example.net','to','delivered',250,'2.0.0','taken','','');
INSERT INTO "recipient" VALUES('01released0000000000000000',1,'01delivery0000000000000000','central@example.com','archive','delivered',250,'2.0.0','taken','','');
INSERT INTO "recipient" VALUES('01released0000000000000001',0,'01delivery0000000000000001','customer@example.net','to','pending',0,'','','','');
INSERT INTO "recipient" VALUES('01released0000000000000001',1,'01delivery0000000000000001','central@example.com','archive','pending',0,'','','','');
INSERT INTO "recipient" VALUES('01released0000000000000002',0,'01delivery0000000000000002','customer@example.net','to','pending',451,'4.3.0','later','','');
INSERT INTO "recipient" VALUES('01released0000000000000002',1,'01delivery0000000000000002','central@example.com','archive','delivered',250,'2.0.0','taken','','');
INSERT INTO "recipient" VALUES('01released0000000000000003',0,'01delivery0000000000000003','customer@example.net','to','pending',0,'','','','');
INSERT INTO "recipient" VALUES('01released0000000000000003',1,'01delivery0000000000000003','central@example.com','archive','pending',0,'','','','');
INSERT INTO "recipient" VALUES('01released0000000000000004',0,'01delivery0000000000000004','anna','inbox','pending',0,'','','','');
INSERT INTO "recipient" VALUES('01released0000000000000005',0,'01delivery0000000000000005','bert','inbox','delivered',250,'2.0.0','written','','');
INSERT INTO "recipient" VALUES('01released0000000000000006',0,'01delivery0000000000000006','anna@example.com','to','pending',0,'','','','');
CREATE TABLE seen (
	account TEXT NOT NULL, 
	folder TEXT NOT NULL, 
	validity TEXT NOT NULL, 
	uid TEXT NOT NULL, 
	first_seen BIGINT NOT NULL, 
	fetched BOOLEAN NOT NULL, 
	gone_at BIGINT, 
	PRIMARY KEY (account, folder, validity, uid)
)
 WITHOUT ROWID

;
INSERT INTO "seen" VALUES('bert','','','sha256-00',1780000000002,1,NULL);
INSERT INTO "seen" VALUES('sales','','','left alone',1779000000000,0,NULL);
INSERT INTO "seen" VALUES('sales','','','uid-0',1779000000000,1,1780000000001);
INSERT INTO "seen" VALUES('sales','','','uid-1',1780000000000,1,NULL);
CREATE INDEX message_by_header_id ON message (header_message_id);
CREATE INDEX message_by_about ON message (about) WHERE about <> '';
CREATE UNIQUE INDEX pause_lasting ON pause (account) WHERE until IS NULL;
CREATE INDEX arrival_by_header_id ON arrival (header_message_id);
CREATE INDEX arrival_quarantined ON arrival (id) WHERE place = 'quarantine';
CREATE INDEX arrival_by_uidl ON arrival (uidl);
CREATE INDEX delivery_by_message ON delivery (message_id);
CREATE INDEX delivery_open ON delivery (state, destination, source, due, id) WHERE state <> 'done';
COMMIT;
