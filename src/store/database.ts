import { chmodSync, closeSync, fsyncSync, lstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { StoreLockedError, StoreUnreadableError } from './errors.ts';
import { lockHolderOf } from './lock-holder.ts';

/** Raised when the tables change. A store written by a newer daemon is refused, an older one is brought up here. */
const schemaVersion = 1;

/** Marks the file as ours ("mkub"), so that a wrong path does not turn somebody's database into a store. */
const applicationId = 0x6d6b7562;

const sqliteBusy = 5;

const pageBytes = 4096;

const schema = `
  CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    resource_version INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, namespace, name)
  ) STRICT;
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

export interface ObjectRow {
  readonly kind: string;
  /** Empty for objects that belong to no namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: number;
  /** The object as JSON. */
  readonly body: string;
}

/**
 * The rows on disk. Every method is one transaction: done wholly or not at all, also across a crash. A change is in
 * the write-ahead log when the method returns (it survives the death of this process) and on the disk after the next
 * sync of that log, which is WalSync's business.
 */
export class ObjectDatabase {
  readonly #path: string;
  readonly #maxBytes: number;
  #db: DatabaseSync | undefined;
  #put: StatementSync | undefined;
  #remove: StatementSync | undefined;
  #setMeta: StatementSync | undefined;

  /** @param maxBytes a write that would make the file larger fails as if the disk were full. */
  constructor(path: string, maxBytes: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  /**
   * Opens or creates the file, takes the lock, and checks that every page is whole.
   *
   * @throws StoreLockedError when another daemon has it, StoreUnreadableError when it is damaged, foreign or too new.
   */
  open(): void {
    createPrivateFile(this.#path);
    try {
      this.#db = new DatabaseSync(this.#path, { timeout: 500, allowExtension: false });
      // Exclusive before the first access: the lock then lasts until this process ends, however it ends, and no
      // shared-memory file is needed. Foreign rows cannot smuggle in functions or views with a trusted schema off. Every
      // read is answered from the objects in memory, so that SQLite's own copy of pages (in KiB) may be small.
      this.#db.exec(`
        PRAGMA page_size = ${pageBytes};
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        PRAGMA cache_size = -512;
        PRAGMA trusted_schema = OFF;
      `);
      this.#migrate();
      this.#check();
      this.#db.exec(`PRAGMA max_page_count = ${Math.floor(this.#maxBytes / pageBytes)}`);
      this.#put = this.#db.prepare(`
        INSERT INTO objects (kind, namespace, name, uid, resource_version, checksum, body) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (kind, namespace, name) DO UPDATE SET
          uid = excluded.uid, resource_version = excluded.resource_version,
          checksum = excluded.checksum, body = excluded.body`);
      this.#remove = this.#db.prepare('DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?');
      this.#setMeta = this.#db.prepare(
        'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      );
    } catch (error) {
      this.close();
      throw this.#explain(error);
    }
    syncDirectory(dirname(this.#path));
  }

  close(): void {
    const db = this.#db;
    this.#db = undefined;
    if (db?.isOpen) db.close();
  }

  /** The write-ahead log, for WalSync. Exists from the first write after `open` on. */
  openLog(): number {
    return openSync(`${this.#path}-wal`, 'r');
  }

  /** In the order in which they were created. @throws StoreUnreadableError when a row's checksum or JSON is wrong. */
  *rows(): Generator<ObjectRow> {
    const statement = this.#opened().prepare(
      'SELECT kind, namespace, name, uid, resource_version, checksum, body FROM objects ORDER BY id',
    );
    for (const row of statement.iterate()) {
      const body = String(row.body);
      if (crc32(body) !== row.checksum) {
        throw new StoreUnreadableError(this.#path, `the record of ${row.kind} ${row.namespace}/${row.name} is damaged`);
      }
      yield {
        kind: String(row.kind),
        namespace: String(row.namespace),
        name: String(row.name),
        uid: String(row.uid),
        resourceVersion: Number(row.resource_version),
        body,
      };
    }
  }

  meta(key: string): string | undefined {
    const row = this.#opened().prepare('SELECT value FROM meta WHERE key = ?').get(key);
    return row === undefined ? undefined : String(row.value);
  }

  /** Every entry whose key begins with `prefix`, by the rest of its key. */
  metaByPrefix(prefix: string): ReadonlyMap<string, string> {
    const rows = this.#opened()
      .prepare('SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?')
      .all(prefix.length, prefix);
    return new Map(rows.map((row) => [String(row.key).slice(prefix.length), String(row.value)]));
  }

  setMeta(key: string, value: string): void {
    this.#setMeta?.run(key, value);
  }

  put(row: ObjectRow): void {
    this.#opened();
    this.#put?.run(row.kind, row.namespace, row.name, row.uid, row.resourceVersion, crc32(row.body), row.body);
  }

  /** Removes a row; `meta` is written in the same transaction, for what the row can no longer tell. */
  remove(row: Pick<ObjectRow, 'kind' | 'namespace' | 'name'>, meta: { key: string; value: string }): void {
    const db = this.#opened();
    db.exec('BEGIN IMMEDIATE');
    try {
      this.#remove?.run(row.kind, row.namespace, row.name);
      this.#setMeta?.run(meta.key, meta.value);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Brings what the log holds into the database as far as there is room, and gives the log's space back. */
  shrinkLog(): void {
    try {
      this.#opened().exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      // As much as there was room for was brought over; the write that comes next tells whether it was enough.
      if (!isSqliteError(error)) throw error;
    }
  }

  #opened(): DatabaseSync {
    if (!this.#db) throw new Error('the store is not open');
    return this.#db;
  }

  #migrate(): void {
    const db = this.#opened();
    // The first access: from here on the lock is ours.
    const found = Number(db.prepare('PRAGMA user_version').get()?.user_version);
    const id = Number(db.prepare('PRAGMA application_id').get()?.application_id);
    const isEmpty = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n === 0;
    if (id !== applicationId && !(isEmpty && id === 0)) {
      throw new StoreUnreadableError(this.#path, 'it is a database of another program');
    }
    if (found > schemaVersion) {
      throw new StoreUnreadableError(
        this.#path,
        `it was written by a newer mini-kubelet (schema ${found}, this one knows up to ${schemaVersion}); it was left as it is`,
      );
    }
    if (found === 0) {
      db.exec(`BEGIN IMMEDIATE; ${schema}
        PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; COMMIT`);
    }
  }

  #check(): void {
    const result = this.#opened().prepare('PRAGMA quick_check(1)').get();
    const verdict = String(result?.quick_check);
    if (verdict !== 'ok') throw new StoreUnreadableError(this.#path, `it is damaged: ${verdict}`);
  }

  #explain(error: unknown): unknown {
    if (!isSqliteError(error)) return error;
    if (error.errcode === sqliteBusy) return new StoreLockedError(this.#path, lockHolderOf(this.#path));
    return new StoreUnreadableError(this.#path, error.message);
  }
}

/** `errcode` is SQLite's result code (https://www.sqlite.org/rescode.html), extended codes included. */
export function isSqliteError(error: unknown): error is Error & { errcode: number } {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';
}

/**
 * SQLite gives its log the mode of the database file. The file is never opened when it exists: closing it would drop
 * the POSIX locks that this process may have on it.
 */
function createPrivateFile(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found && !found.isFile()) throw new StoreUnreadableError(path, 'it is not a regular file');
  if (found) chmodSync(path, 0o600);
  else closeSync(openSync(path, 'wx', 0o600));
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
