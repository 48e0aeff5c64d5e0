/** Tables of Cloud Storage: buckets, generations of objects, and upload sessions. Text compares by its UTF-8 bytes, as Cloud Storage orders names. */
import type { Migrations } from '../../../store/database.ts'

export const storageMigrations: Migrations = {
  namespace: 'storage',
  steps: [
    `CREATE TABLE storage_buckets (
       name TEXT PRIMARY KEY, project_id TEXT NOT NULL, project_number TEXT NOT NULL, metageneration INTEGER NOT NULL,
       time_created TEXT NOT NULL, updated TEXT NOT NULL, config TEXT NOT NULL
     ) STRICT;
     CREATE INDEX storage_buckets_by_project ON storage_buckets (project_id, name);
     CREATE TABLE storage_objects (
       bucket TEXT NOT NULL REFERENCES storage_buckets, name TEXT NOT NULL, generation INTEGER NOT NULL, metageneration INTEGER NOT NULL,
       size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, md5 TEXT, crc32c TEXT NOT NULL, component_count INTEGER,
       time_created TEXT NOT NULL, updated TEXT NOT NULL, time_deleted TEXT, fields TEXT NOT NULL,
       PRIMARY KEY (bucket, name, generation)
     ) STRICT;
     CREATE UNIQUE INDEX storage_objects_live ON storage_objects (bucket, name) WHERE time_deleted IS NULL;
     CREATE TABLE storage_uploads (
       id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, request TEXT NOT NULL, total_bytes INTEGER, received_bytes INTEGER NOT NULL,
       time_created TEXT NOT NULL, result_generation INTEGER
     ) STRICT`,
  ],
}
