// Made from the Rust types of crates/client: `UPDATE_TYPES=1 cargo test -p tidings-client types`. Do not edit.
// Times are milliseconds since 1970. A `seq` of what is not sent yet is beyond what a number holds exactly.

/**
 * A person. Random.
 */
export type AccountId = string;

/**
 * Whom something is shared with.
 */
export type Audience = "everyone" | "contacts" | "nobody";

/**
 * The account's backup, as this device makes it.
 */
export type Backup = { 
/**
 * What opens it; none while this device makes no backup.
 */
secret: SecretKind | null, 
/**
 * When the newest one was complete.
 */
made_ms: number | null, 
/**
 * How many there have been.
 */
generation: number, chunks: number, bytes: number, messages: number, 
/**
 * Parts that changed since.
 */
pending: number, 
/**
 * It is time to ask the person for the secret, so that they do not forget it.
 */
prove: boolean, };

export type Body = { "text": { text: string, } } | { "poll": { question: string, 
/**
 * Several may be chosen.
 */
multiple: boolean, options: Array<PollOption>, } } | { "location": { latitude: Degrees, longitude: Degrees, name: string | null, } } | { "contact": { name: string, phone: string, } } | "deleted" | { "unreadable": { why: string, } } | { "notice": { notice: Notice, } } | "unknown";

export type Card = { 
/**
 * Where it begins, from 1.
 */
line: number, name: string, 
/**
 * As they are written in the file: perhaps without a country code.
 */
phones: Array<string>, };

export type ClientError = "not_logged_in" | "already_logged_in" | { "no_such_person": { phone: string, } } | "no_such_conversation" | "no_such_message" | { "not_allowed": { why: string, } } | { "too_long": { bytes: number, max: number, } } | { "invite_needed": { conversation: ConversationId, who: Array<Person>, } } | "offline" | { "refused": { code: Code, detail: string, retry_after_ms: number | null, } } | { "database": { detail: string, } };

/**
 * What went wrong.
 */
export type Code = "bad_request" | "unauthorized" | "invalid_grant" | "logged_out" | "forbidden" | "not_found" | "method_not_allowed" | "exists" | "group_full" | "commit_first" | "invite_needed" | "approval_needed" | "stale_epoch" | "conflict" | "too_large" | "unsupported_media_type" | "rate_limited" | "invalid_phone" | "invalid_code" | "pin_required" | "wrong_pin" | "invalid_key" | "quota_full" | "wrong_passphrase" | "blocked" | "no_device" | "overloaded" | "shutting_down" | "sms_failed" | "replaced" | "timeout" | "internal";

export type Command = { "register": { phone: string, } } | { "login": { phone: string, code: string, device_name: string, 
/**
 * If the number is locked: a login without it fails with `pin_required`, and the code stays good.
 */
pin?: string | null, 
/**
 * The PIN was forgotten: the lock opens after some days.
 */
forgot_pin?: boolean, } } | { "link": { device_name: string, } } | "await_link" | { "approve_link": { code: string, } } | "devices" | { "rename_device": { device: DeviceId, name: string, } } | { "revoke_device": { device: DeviceId, } } | { "login_to_restore": { phone: string, code: string, device_name: string, 
/**
 * If the number is locked: a login without it fails with `pin_required`, and the code stays good.
 */
pin?: string | null, 
/**
 * The PIN was forgotten: the lock opens after some days.
 */
forgot_pin?: boolean, } } | "start_anew" | { "restore": { secret: string, } } | { "restore_from_file": { head: FileHead, secret: string, } } | { "restore_part": { index: number, bytes: string, } } | { "set_backup_secret": { passphrase: string | null, } } | { "prove_backup_secret": { secret: string, } } | "end_backup" | "back_up" | "backup_status" | { "back_up_to_file": { part: number, } } | "logout" | { "delete_account": { phone: string, 
/**
 * If the number is locked.
 */
pin?: string | null, } } | { "set_lock": { pin: string, } } | "remove_lock" | "lock_status" | "end_lock_reset" | { "report": { who: Peer, reason: string, messages?: Array<MessageId>, last?: number, } } | { "send": { to: Peer, text: string, reply_to: MessageId | null, 
/**
 * People of this conversation whom the text names.
 */
mentions?: Array<Mention>, 
/**
 * What stands behind a link in the text, if the sender wants it shown.
 */
preview?: LinkPreview | null, } } | { "forward": { message: MessageId, to: Peer, } } | { "react": { to: Peer, message: MessageId, emoji: string | null, } } | { "edit": { to: Peer, message: MessageId, text: string, } } | { "delete": { to: Peer, message: MessageId, } } | { "delete_for_me": { message: MessageId, } } | { "create_poll": { to: Peer, question: string, options: Array<string>, 
/**
 * Several may be chosen.
 */
multiple: boolean, } } | { "vote": { poll: MessageId, choices: Array<number>, } } | { "send_location": { to: Peer, latitude: Degrees, longitude: Degrees, name: string | null, } } | { "send_contact": { to: Peer, name: string, phone: string, } } | { "set_profile": { name: string | null, about: string | null, 
/**
 * WebP, JPEG or PNG of at most 24 KiB.
 */
picture?: string | null, } } | "profile" | { "picture": { of: Peer, } } | { "mark_read": { to: Peer, up_to: MessageId, } } | { "typing": { to: Peer, on: boolean, } } | { "block": { who: Peer, } } | { "unblock": { who: Peer, } } | { "safety_number": { who: Peer, } } | { "mark_verified": { who: Peer, } } | { "resolve": { who: Peer, } } | { "create_group": { name: string, members: Array<Peer>, } } | { "add_members": { group: Peer, members: Array<Peer>, } } | { "remove_members": { group: Peer, members: Array<Peer>, } } | { "set_admin": { group: Peer, who: Peer, on: boolean, } } | { "set_rules": { group: Peer, posting: Who | null, editing: Who | null, adding: Who | null, } } | { "ban": { group: Peer, who: Peer, on: boolean, } } | { "leave": { group: Peer, } } | { "create_invite": { group: Peer, expires_in_s: number | null, approval: boolean, } } | { "revoke_invite": { group: Peer, key: InviteKey, } } | { "join_by_invite": { token: string, } } | { "join_requests": { group: Peer, } } | { "answer_join_request": { group: Peer, who: Peer, approve: boolean, } } | { "set_group_profile": { group: Peer, name: string | null, description: string | null, 
/**
 * WebP, JPEG or PNG of at most 24 KiB.
 */
picture?: string | null, } } | { "group_info": { group: Peer, } } | { "star": { message: MessageId, on: boolean, } } | { "starred": { of: Peer | null, } } | { "pin": { message: MessageId, on: boolean, } } | { "pinned": { of: Peer, } } | { "mute": { of: Peer, until_ms: number | null, } } | { "archive": { of: Peer, on: boolean, } } | { "pin_conversation": { of: Peer, on: boolean, } } | { "mark_unread": { of: Peer, } } | { "set_draft": { of: Peer, text: string, } } | { "set_timer": { of: Peer, seconds: number | null, } } | { "open_chat": { of: Peer | null, } } | { "close_chat": { of: Peer | null, } } | { "presence": { who: Peer, } } | { "add_contacts": { contacts: Array<NewContact>, } } | { "remove_contact": { phone: string, } } | "contacts" | "find_contacts" | { "read_vcard": { file: string, } } | "privacy" | { "set_privacy": { last_seen: Audience | null, read_receipts: boolean | null, find_me?: Audience | null, add_me?: Audience | null, picture?: Audience | null, about?: Audience | null, } } | "status" | "conversations" | { "messages": { of: Peer, before: Position | null, limit: number, } } | { "messages_after": { of: Peer, after: Position, limit: number, } } | { "messages_around": { message: MessageId, limit: number, } } | { "search": { text: string, of: Peer | null, before: MessageId | null, limit: number, } } | { "message": { id: MessageId, } } | { "message_info": { message: MessageId, } };

export type Connection = "offline" | "connecting" | "catching_up" | "live";

/**
 * Somebody in one's address book.
 */
export type Contact = { phone: string, 
/**
 * One's own name for them.
 */
name: string, found: Found, 
/**
 * If they are here.
 */
account: AccountId | null, 
/**
 * The direct conversation with them, whether or not it was begun; absent for one's own number.
 */
conversation: ConversationId | null, 
/**
 * What they call themselves, and say of themselves.
 */
profile_name: string | null, about: string | null, 
/**
 * As in [`Conversation`].
 */
picture: string | null, blocked: boolean, };

/**
 * A row of the list of conversations.
 */
export type Conversation = { conversation: ConversationId, kind: ConversationKind, 
/**
 * The other account of a direct conversation.
 */
account: AccountId | null, 
/**
 * What to call it: a group's name; a name from one's address book, else from the profile, else the number, else the
 * account id.
 */
title: string, 
/**
 * False once one has left a group or was removed: it can be read, and no more.
 */
member: boolean, 
/**
 * The other person's number, if they told it and the server confirms it.
 */
phone: string | null, unread: number, last: Message | null, blocked: boolean, verified: boolean, 
/**
 * Of the other person of a direct conversation, while its chat is on the screen; absent if not known or not shared.
 */
presence: Presence | null, 
/**
 * At the top of one's own list.
 */
pinned: boolean, archived: boolean, 
/**
 * Nothing rings until then; [`FOR_EVER_MS`] is for ever.
 */
muted_until_ms: number | null, 
/**
 * The person wants to come back to it, whatever `unread` says.
 */
marked_unread: boolean, draft: string | null, 
/**
 * Messages that are pinned for everybody, pinned last first.
 */
pins: Array<MessageId>, 
/**
 * How long what is said now stays, if not for good.
 */
timer_s: number | null, 
/**
 * What the other person says about themselves.
 */
about: string | null, 
/**
 * Names the picture of the group or of the other person: another one has another name. [`crate::Command::Picture`]
 * gets it.
 */
picture: string | null, };

/**
 * A conversation. For a direct one it follows from its two accounts, see [`ConversationId::direct`].
 */
export type ConversationId = string;

export type ConversationKind = "direct" | "group" | "self";

/**
 * An angle in steps of 1e-7 degrees, about a centimetre; in JSON a number of degrees.
 */
export type Degrees = number;

/**
 * One of one's own devices.
 */
export type Device = { device: DeviceId, name: string, created_ms: number, 
/**
 * The one that shows this.
 */
current: boolean, };

/**
 * One installation of an account. Random.
 */
export type DeviceId = string;

export type Event = { "message_added": { conversation: ConversationId, message: MessageId, own: boolean, } } | { "message_changed": { conversation: ConversationId, message: MessageId, } } | { "message_removed": { conversation: ConversationId, message: MessageId, } } | { "ticks_changed": { conversation: ConversationId, } } | { "conversation_changed": { conversation: ConversationId, } } | { "typing": { conversation: ConversationId, account: AccountId, on: boolean, } } | { "presence_changed": { account: AccountId, } } | "contacts_changed" | { "join_requested": { conversation: ConversationId, account: AccountId, } } | { "device_linked": { device: DeviceId, } } | { "connection": { state: Connection, } } | "caught_up" | { "transfer": { what: Transfer, done: number, total: number, } } | { "restored": { messages: number, damaged: number, } } | { "history_sent": { messages: number, } } | { "lock_reset": { opens_ms: number, } } | { "logged_out": { reason: string, } };

/**
 * What opens a backup file: its lock and its manifest.
 */
export type FileHead = { lock: string, manifest: string, };

/**
 * Whether a number has an account.
 */
export type Found = "here" | "nobody" | "unknown";

/**
 * A backup that a login found.
 */
export type FoundBackup = { secret: SecretKind, made_ms: number, 
/**
 * After wrong guesses.
 */
retry_after_ms: number | null, };

/**
 * All about a group.
 */
export type Group = { conversation: ConversationId, name: string | null, description: string | null, 
/**
 * Names the picture, as in [`Conversation::picture`].
 */
picture: string | null, 
/**
 * False once one has left or was removed.
 */
member: boolean, members: Array<Member>, rules: GroupRules, invites: Array<InviteLink>, };

/**
 * What holds in a group from one commit to the next. Lists are sorted and have nobody twice.
 */
export type GroupRules = { 
/**
 * At least one, as long as anybody is in the group.
 */
admins: Array<AccountId>, 
/**
 * Who may send messages that count; `Admins`: announcements only. Reactions are free to all.
 */
posting: Who, 
/**
 * Who may change name, picture, description and the disappearing timer.
 */
editing: Who, 
/**
 * Who may add people.
 */
adding: Who, 
/**
 * Who cannot come in, whoever adds them.
 */
banned?: Array<AccountId>, 
/**
 * Members none of whose devices has a leaf now (all were logged out): they come back by external commit.
 */
away?: Array<AccountId>, invites?: Array<Invite>, };

/**
 * A link that lets people in. The link holds the secret half of `key`, which the server never sees.
 */
export type Invite = { key: InviteKey, 
/**
 * Seconds since 1970; absent: until revoked.
 */
expires_s?: number | null, 
/**
 * An admin has to approve who comes by this link.
 */
approval?: boolean, };

/**
 * The public half of an invite (Ed25519, 32 bytes): its name.
 */
export type InviteKey = string;

export type InviteLink = { key: InviteKey, expires_s: number | null, approval: boolean, 
/**
 * The link itself, on the device that made it.
 */
token: string | null, };

/**
 * Somebody who waits to be let into a group.
 */
export type JoinRequest = { who: Person, time_ms: number, };

/**
 * What stands behind a link, as the sender's client saw it: whoever reads it asks nobody.
 */
export type LinkPreview = { url: string, title: string, description?: string | null, 
/**
 * WebP, JPEG or PNG, in base64.
 */
picture?: string | null, };

/**
 * The PIN of the number.
 */
export type Lock = { on: boolean, set_ms: number | null, 
/**
 * Somebody says that they forgot it: when it opens for them.
 */
reset_ms: number | null, };

export type Member = { account: AccountId, title: string, admin: boolean, 
/**
 * None of their devices can read now.
 */
away: boolean, 
/**
 * Since when this device knows them in the group, by the server's clock.
 */
since_ms: number, };

/**
 * Somebody named in a text: bytes `start .. start + len` of its UTF-8 call them.
 */
export type Mention = { account: AccountId, start: number, len: number, };

/**
 * Somebody named in a text: bytes `start .. start + len` of its UTF-8 call them.
 */
export type Mentioned = { who: Person, start: number, len: number, };

/**
 * A message as it is shown.
 */
export type Message = { message: MessageId, conversation: ConversationId, position: Position, sender: AccountId, 
/**
 * As in [`Conversation::title`]; "You" is the caller's to say.
 */
sender_title: string, own: boolean, 
/**
 * The server's time, or the local one while it waits.
 */
time_ms: number, body: Body, reply_to: Quote | null, 
/**
 * Emoji and who gave it, in the order they came.
 */
reactions: Array<Reaction>, edited: boolean, 
/**
 * Of one's own messages.
 */
tick: Tick | null, 
/**
 * Why it will never be sent ([`Tick::Failed`]), for people.
 */
failure?: string | null, starred: boolean, 
/**
 * For everybody in the chat.
 */
pinned: boolean, 
/**
 * Said by somebody else before.
 */
forwarded: boolean, 
/**
 * Whom the text names, in the text's order.
 */
mentions: Array<Mentioned>, 
/**
 * Whether it names oneself.
 */
mentions_me: boolean, preview: LinkPreview | null, 
/**
 * The admin who deleted it for everyone, if it was not the sender.
 */
deleted_by: Person | null, 
/**
 * When it disappears by the conversation's timer; not known before it is sent.
 */
expires_ms: number | null, };

/**
 * Made by the sending client, once per message (UUIDv7, RFC 9562). With the sending device it is the idempotency key.
 */
export type MessageId = string;

/**
 * How far one's own message got.
 */
export type MessageInfo = { message: MessageId, 
/**
 * Everybody else who was in the conversation when it was sent and still is.
 */
members: Array<Seen>, };

/**
 * Somebody for one's address book.
 */
export type NewContact = { 
/**
 * E.164.
 */
phone: string, name: string, };

export type Notice = { "safety_number_changed": { who: Person, } } | "history_missing" | { "group_created": { by: Person, } } | { "added": { by: Person, who: Array<Person>, } } | { "removed": { by: Person, who: Array<Person>, } } | { "left": { who: Person, } } | { "account_deleted": { who: Person, } } | { "joined_by_link": { who: Person, } } | { "admins_changed": { by: Person, named: Array<Person>, dismissed: Array<Person>, } } | { "rules_changed": { by: Person, posting?: Who | null, editing?: Who | null, adding?: Who | null, } } | { "renamed": { by: Person, name: string | null, } } | { "described": { by: Person, description: string | null, } } | { "pictured": { by: Person, } } | { "timer_set": { by: Person, seconds: number | null, } } | "distrusted";

/**
 * Whom a command is about.
 */
export type Peer = { "phone": string } | { "account": AccountId } | { "conversation": ConversationId } | "me";

/**
 * Somebody, and what to call them now.
 */
export type Person = { account: AccountId, title: string, };

/**
 * An answer of a poll, and who chose it.
 */
export type PollOption = { text: string, voters: Array<Person>, 
/**
 * Whether oneself did.
 */
mine: boolean, };

/**
 * Where a message stands in its conversation: by seq; what is not sent yet comes last, in the order it was written.
 */
export type Position = { 
/**
 * `u64::MAX` for what is not sent yet.
 */
seq: number, 
/**
 * Order among those.
 */
local: number, };

/**
 * Whether somebody is there.
 */
export type Presence = { online: boolean, 
/**
 * By the server's clock.
 */
last_seen_ms: number | null, };

export type Quote = { message: MessageId, sender: AccountId, 
/**
 * The beginning of the text, if it is here.
 */
text: string | null, };

export type Reaction = { account: AccountId, emoji: string, };

export type Reply = "done" | { "code_sent": { expires_in_s: number, retry_after_s: number, } } | { "logged_in": { account: AccountId, device: DeviceId, } } | { "link_code": { code: string, expires_in_s: number, } } | { "devices": Array<Device> } | { "signed_in": { backup: FoundBackup | null, } } | { "backup_secret": { code: string | null, } } | { "backup": Backup } | { "file_part": { bytes: string, more: boolean, 
/**
 * Messages so far, of about so many.
 */
done: number, total: number, } } | { "file_opened": { sizes: Array<number>, } } | { "queued": { message: MessageId, conversation: ConversationId, } } | { "safety_number": { digits: string, verified: boolean, } } | { "conversation": { conversation: ConversationId, account: AccountId | null, } } | { "lock": Lock } | { "reported": { report: string, } } | { "group": Group } | { "invite": { token: string, key: InviteKey, } } | "join_requested" | { "presence": Presence | null } | { "profile": { name: string | null, about: string | null, picture: string | null, } } | { "picture": { picture: string | null, } } | { "privacy": { 
/**
 * Online and last seen.
 */
last_seen: Audience, 
/**
 * Whether others see what one has read.
 */
read_receipts: boolean, 
/**
 * Who finds one by number.
 */
find_me: Audience, 
/**
 * Who may add one to groups; the others need a link, or one's asking.
 */
add_me: Audience, 
/**
 * Who gets to see one's picture. With `Contacts` it goes to no group.
 */
picture: Audience, 
/**
 * The same of the line about oneself.
 */
about: Audience, } } | { "contacts_added": { added: number, 
/**
 * Were there under another name.
 */
renamed: number, } } | { "contacts": Array<Contact> } | { "vcard": Vcard } | { "join_requests": Array<JoinRequest> } | { "message_info": MessageInfo } | { "status": Status } | { "conversations": Array<Conversation> } | { "messages": Array<Message> } | { "message": Message };

/**
 * What the person keeps.
 */
export type SecretKind = "code" | "passphrase";

export type Seen = { who: Person, delivered: boolean, 
/**
 * By the server's clock; absent if it happened while this device could not learn when.
 */
delivered_ms: number | null, read: boolean, read_ms: number | null, };

/**
 * What of a file cannot be taken.
 */
export type Skipped = { line: number, why: string, };

/**
 * Who and where this device is.
 */
export type Status = { account: AccountId | null, device: DeviceId | null, phone: string | null, connection: Connection, 
/**
 * Messages that wait to be sent.
 */
outbox: number, 
/**
 * What changes messages (reactions, edits, deletions) and waits to be sent.
 */
changes: number, 
/**
 * Of all conversations that are not archived.
 */
unread: number, 
/**
 * How many of them are in muted conversations.
 */
unread_muted: number, 
/**
 * Messages of a backup, or of another device's history, are still coming.
 */
importing: boolean, 
/**
 * Conversations that this device is about to come into (again), as after a restore.
 */
joining: number, 
/**
 * Somebody says that they forgot the PIN of the number: when the lock opens for them.
 */
lock_reset_ms: number | null, };

/**
 * The promise that a message has reached; see the design's section on ticks.
 */
export type Tick = "failed" | "clock" | "sent" | "delivered" | "read";

export type Transfer = "backup" | "restore" | "history";

/**
 * What a vCard file says.
 */
export type Vcard = { cards: Array<Card>, skipped: Array<Skipped>, };

/**
 * Who may do something.
 */
export type Who = "members" | "admins";
