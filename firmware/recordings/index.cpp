// SPDX-License-Identifier: Apache-2.0
#include "recordings/index.hpp"

#include <unistd.h>

#include <cerrno>

#include "base/file.hpp"
#include "recordings/index_database.hpp"

namespace sealcam::recordings {

namespace {

namespace fs = std::filesystem;

/// Stored in the database (PRAGMA user_version). Another number: the index is built again.
constexpr int schema_version = 3;
constexpr const char* schema = R"(
CREATE TABLE files (
  id INTEGER PRIMARY KEY, camera BLOB NOT NULL, day TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
  epoch INTEGER NOT NULL, begin INTEGER NOT NULL, "end" INTEGER NOT NULL, bytes INTEGER NOT NULL, reason INTEGER NOT NULL,
  motion_known INTEGER NOT NULL, first INTEGER NOT NULL, counters INTEGER NOT NULL, UNIQUE (camera, day, name)) STRICT;
CREATE INDEX files_by_time ON files (camera, begin);
CREATE INDEX files_by_end ON files ("end");
CREATE INDEX files_by_epoch ON files (camera, epoch);
CREATE TABLE gaps (
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE, begin INTEGER NOT NULL, "end" INTEGER NOT NULL,
  first INTEGER NOT NULL, frames INTEGER NOT NULL) STRICT;
CREATE INDEX gaps_by_file ON gaps (file);
CREATE INDEX files_without_motion ON files ("end") WHERE motion_known = 0;
CREATE TABLE motion (
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE, begin INTEGER NOT NULL, "end" INTEGER NOT NULL,
  peak INTEGER NOT NULL, size INTEGER NOT NULL) STRICT;
CREATE INDEX motion_by_file ON motion (file);
CREATE TABLE deleted (
  id INTEGER PRIMARY KEY, camera BLOB NOT NULL, epoch INTEGER NOT NULL, first INTEGER NOT NULL, counters INTEGER NOT NULL)
  STRICT;
CREATE INDEX deleted_by_epoch ON deleted (camera, epoch);
CREATE TABLE erased (id INTEGER PRIMARY KEY, camera BLOB NOT NULL, begin INTEGER NOT NULL, "end" INTEGER NOT NULL)
  STRICT;
PRAGMA user_version = 3;
)";
constexpr int busy_timeout_ms = 5000;
constexpr std::string_view insert_file =
    "INSERT INTO files (camera, day, name, number, epoch, begin, \"end\", bytes, reason, motion_known, first, "
    "counters) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

Result<Connection> connect(const char* path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(
      path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
  Connection connection(handle);
  if (code != SQLITE_OK) return sqlite_failed(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  // A damaged schema must not run code (sqlite.org/security.html).
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 1 << 20);
  // The index can be built again, so that only the files need fsync.
  auto r = execute(handle,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
                   "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;");
  if (!r) return std::unexpected(r.error());
  int version = 0;
  {
    Query query(handle, "PRAGMA user_version");
    if (query.next()) version = static_cast<int>(query.integer(0));
    if (auto read = query.result(); !read) return std::unexpected(read.error());
  }
  if (version == 0) {
    r = execute(handle, "BEGIN IMMEDIATE");
    if (r) r = execute(handle, schema);
    if (r) r = execute(handle, "COMMIT");
  } else if (version != schema_version) return fail(Errc::malformed, "the index of the recordings has another version");
  if (!r) return std::unexpected(r.error());
  Query query(handle, "PRAGMA quick_check(1)");
  const bool sound = query.next() && query.text(0) == "ok";
  if (auto read = query.result(); !read) return std::unexpected(read.error());
  if (!sound) return fail(Errc::malformed, "the index of the recordings is damaged");
  return connection;
}

}  // namespace

Index::Index(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::open(const fs::path& path) {
  auto connection = connect(path.c_str());
  if (!connection) return std::unexpected(located(connection.error(), path.native()));
  auto database = std::make_unique<Database>();
  database->path = path;
  database->connection = std::move(*connection);
  return std::unique_ptr<Index>(new Index(std::move(database)));
}

Result<std::unique_ptr<Index>> Index::open_in_memory() {
  auto connection = connect(":memory:");
  if (!connection) return std::unexpected(connection.error());
  auto database = std::make_unique<Database>();
  database->connection = std::move(*connection);
  return std::unique_ptr<Index>(new Index(std::move(database)));
}

Result<> Index::delete_files(const fs::path& path) {
  for (const auto* const suffix : {"", "-wal", "-shm", "-journal"}) {
    auto file = path;
    file += suffix;
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) return fail_errno("deleting the index", file);
  }
  return {};
}

/// A rebuild that failed left no connection. The database has only facts that the files have too.
sqlite3* Index::Database::handle() {
  if (connection || path.empty()) return connection.get();
  auto again = connect(path.c_str());
  if (!again && again.error().code == Errc::malformed && delete_files(path)) again = connect(path.c_str());
  if (again) connection = std::move(*again);
  return connection.get();
}

Result<> Index::rebuild() {
  const std::scoped_lock lock(database_->mutex);
  database_->connection.reset();
  if (!database_->path.empty())
    if (auto r = delete_files(database_->path); !r) return r;
  auto connection = connect(database_->path.empty() ? ":memory:" : database_->path.c_str());
  if (!connection) return std::unexpected(connection.error());
  database_->connection = std::move(*connection);
  return {};
}

namespace {

Result<> insert_motion(sqlite3* db, std::int64_t file, const std::vector<Motion>& motion) {
  for (const auto& m : motion) {
    Query query(db, "INSERT INTO motion (file, begin, \"end\", peak, size) VALUES (?, ?, ?, ?, ?)");
    query.add(file).add(to_db(m.begin)).add(to_db(m.end)).add(to_db(m.peak));
    if (auto r = query.add(to_db(m.peak_size)).run(); !r) return r;
  }
  return {};
}

}  // namespace

Result<> Index::put(const IndexedFacts& facts) {
  const std::scoped_lock lock(database_->mutex);
  auto* const db = database_->handle();
  const auto& f = facts.file;
  return transaction(db, [&]() -> Result<> {
    if (auto r = Query(db, "DELETE FROM files WHERE camera = ? AND day = ? AND name = ?")
                     .add(f.file.camera)
                     .add(f.file.day)
                     .add(f.file.name)
                     .run();
        !r)
      return r;
    Query insert(db, insert_file);
    insert.add(f.file.camera).add(f.file.day).add(f.file.name).add(to_db(f.number.value())).add(to_db(f.epoch.value()));
    insert.add(to_db(f.time.begin)).add(to_db(f.time.end)).add(to_db(f.bytes));
    insert.add(static_cast<std::int64_t>(f.reason));
    insert.add(std::int64_t{facts.motion ? 1 : 0}).add(to_db(f.counters.first));
    if (auto r = insert.add(to_db(f.counters.count)).run(); !r) return r;
    const auto id = sqlite3_last_insert_rowid(db);
    for (const auto& gap : facts.gaps) {
      Query query(db, "INSERT INTO gaps (file, begin, \"end\", first, frames) VALUES (?, ?, ?, ?, ?)");
      query.add(id).add(to_db(gap.time.begin)).add(to_db(gap.time.end)).add(to_db(gap.first.value()));
      if (auto r = query.add(to_db(gap.frames)).run(); !r) return r;
    }
    return facts.motion ? insert_motion(db, id, *facts.motion) : Result<>();
  });
}

Result<> Index::put_motion(const FileName& file, const std::vector<Motion>& motion) {
  const std::scoped_lock lock(database_->mutex);
  auto* const db = database_->handle();
  return transaction(db, [&]() -> Result<> {
    Query find(db, "SELECT id FROM files WHERE camera = ? AND day = ? AND name = ? AND motion_known = 0");
    find.add(file.camera).add(file.day).add(file.name);
    if (!find.next()) return find.result();
    const auto id = find.integer(0);
    if (auto r = Query(db, "UPDATE files SET motion_known = 1 WHERE id = ?").add(id).run(); !r) return r;
    return insert_motion(db, id, motion);
  });
}

Result<> Index::remove(const FileName& file) {
  const std::scoped_lock lock(database_->mutex);
  return Query(database_->handle(), "DELETE FROM files WHERE camera = ? AND day = ? AND name = ?")
      .add(file.camera)
      .add(file.day)
      .add(file.name)
      .run();
}

Result<std::vector<DeviceId>> Index::cameras() {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->handle(), "SELECT DISTINCT camera FROM files ORDER BY camera");
  std::vector<DeviceId> ids;
  while (query.next()) {
    const auto id = query.id(0);
    if (!id) return fail(Errc::malformed, "the index of the recordings is damaged");
    ids.push_back(*id);
  }
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return ids;
}

Result<std::vector<IndexedCamera>> Index::summaries() {
  const std::scoped_lock lock(database_->mutex);
  Query query(
      database_->handle(),
      "SELECT camera, MIN(begin), MAX(\"end\"), TOTAL(bytes), COUNT(*), (SELECT reason FROM files AS f WHERE "
      "f.camera = files.camera ORDER BY begin DESC, number DESC LIMIT 1) FROM files GROUP BY camera ORDER BY camera");
  std::vector<IndexedCamera> cameras;
  while (query.next()) {
    const auto id = query.id(0);
    const auto reason = query.integer(5);
    if (!id || reason < 0 || reason > static_cast<std::int64_t>(EndReason::cloned))
      return fail(Errc::malformed, "the index of the recordings is damaged");
    cameras.push_back({.camera = *id,
                       .time = {query.time(1), query.time(2)},
                       .bytes = static_cast<std::uint64_t>(query.integer(3)),
                       .files = static_cast<std::uint64_t>(query.integer(4)),
                       .ended = static_cast<EndReason>(reason)});
  }
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return cameras;
}

Result<std::vector<Epoch>> Index::epochs(const DeviceId& camera) {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->handle(), "SELECT epoch FROM files WHERE camera = ? GROUP BY epoch ORDER BY MAX(begin) DESC");
  query.add(camera);
  std::vector<Epoch> epochs;
  while (query.next()) epochs.emplace_back(static_cast<std::uint64_t>(query.integer(0)));
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return epochs;
}

Result<std::vector<Day>> Index::days(const DeviceId& camera) {
  const std::scoped_lock lock(database_->mutex);
  // A file is on at most two days. ?2: microseconds of a day.
  Query query(
      database_->handle(),
      "WITH f AS (SELECT begin, \"end\", bytes, (begin - (begin % ?2 + ?2) % ?2) / ?2 AS day FROM files WHERE "
      "camera = ?1) SELECT day, TOTAL(recorded), TOTAL(bytes) FROM (SELECT day, min(\"end\", (day + 1) * ?2) - begin "
      "AS recorded, bytes FROM f UNION ALL SELECT day + 1, min(\"end\", (day + 2) * ?2) - (day + 1) * ?2, 0 FROM f "
      "WHERE \"end\" >= (day + 1) * ?2) GROUP BY day ORDER BY day");
  query.add(camera).add(std::chrono::microseconds(std::chrono::days(1)).count());
  std::vector<Day> days;
  while (query.next())
    days.push_back({.date = std::chrono::sys_days(std::chrono::days(query.integer(0))),
                    .recorded = std::chrono::microseconds(query.integer(1)),
                    .bytes = static_cast<std::uint64_t>(query.integer(2))});
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return days;
}

Result<std::vector<IndexedFile>> Index::files(const DeviceId& camera, const TimeRange& range) {
  const std::scoped_lock lock(database_->mutex);
  auto query = database_->select("WHERE camera = ? AND begin < ? AND \"end\" >= ? ORDER BY begin, number");
  query.add(camera).add(to_db(range.end)).add(to_db(range.begin));
  return database_->read(std::move(query));
}

Result<std::vector<Motion>> Index::motion(const DeviceId& camera, const TimeRange& range) {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->handle(),
              "SELECT motion.begin, motion.\"end\", motion.peak, motion.size FROM motion JOIN files ON motion.file = "
              "files.id WHERE files.camera = ? AND files.begin < ? AND files.\"end\" >= ? AND motion.begin < ? AND "
              "motion.\"end\" >= ? ORDER BY motion.begin");
  query.add(camera).add(to_db(range.end)).add(to_db(range.begin)).add(to_db(range.end)).add(to_db(range.begin));
  std::vector<Motion> found;
  while (query.next())
    found.push_back({query.time(0), query.time(1), query.time(2), static_cast<std::uint64_t>(query.integer(3))});
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return found;
}

Result<std::optional<IndexedFile>> Index::without_motion() {
  const std::scoped_lock lock(database_->mutex);
  auto query = database_->select("WHERE motion_known = 0 AND reason <> 0 ORDER BY \"end\" DESC LIMIT 1");
  return database_->read_one(std::move(query));
}

Result<std::optional<IndexedFile>> Index::at_or_before(const DeviceId& camera, CaptureTime time) {
  const std::scoped_lock lock(database_->mutex);
  auto query = database_->select("WHERE camera = ? AND begin <= ? ORDER BY begin DESC, number DESC LIMIT 1");
  query.add(camera).add(to_db(time));
  return database_->read_one(std::move(query));
}

Result<std::optional<IndexedFile>> Index::oldest() {
  const std::scoped_lock lock(database_->mutex);
  auto query = database_->select(
      "WHERE reason <> 0 AND (camera, number) IN ("
      "WITH used AS (SELECT camera, TOTAL(bytes) AS bytes, MIN(number) AS number FROM files WHERE reason <> 0 GROUP BY "
      "camera) SELECT camera, number FROM used WHERE bytes * (SELECT COUNT(*) FROM used) >= (SELECT TOTAL(bytes) FROM "
      "used)) ORDER BY \"end\" LIMIT 1");
  return database_->read_one(std::move(query));
}

Result<std::vector<IndexedFile>> Index::aged(CaptureTime limit, CaptureTime now, std::size_t count) {
  const std::scoped_lock lock(database_->mutex);
  {
    // The other query reads all rows.
    Query query(database_->handle(), "SELECT 1 FROM files WHERE reason <> 0 AND \"end\" < ? LIMIT 1");
    query.add(to_db(limit));
    const bool any = query.next();
    if (auto r = query.result(); !r) return std::unexpected(r.error());
    if (!any) return std::vector<IndexedFile>();
  }
  auto query = database_->select(
      "WHERE id IN (SELECT id FROM (SELECT id, MAX(CASE WHEN \"end\" <= ?1 THEN \"end\" END) OVER (PARTITION BY "
      "camera ORDER BY number) AS latest FROM files WHERE reason <> 0) WHERE latest < ?2) ORDER BY number LIMIT ?3");
  query.add(to_db(now)).add(to_db(limit)).add(static_cast<std::int64_t>(count));
  return database_->read(std::move(query));
}

Result<std::optional<CaptureTime>> Index::newest() {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->handle(), "SELECT MAX(\"end\") FROM files");
  std::optional<CaptureTime> time;
  if (query.next() && !query.is_null(0)) time = query.time(0);
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return time;
}

Result<Usage> Index::usage() {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->handle(), "SELECT TOTAL(bytes), COUNT(*) FROM files WHERE reason <> 0");
  Usage usage;
  if (query.next())
    usage = {static_cast<std::uint64_t>(query.integer(0)), static_cast<std::uint64_t>(query.integer(1))};
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return usage;
}

Result<std::uint64_t> Index::files_of_epoch(const DeviceId& camera, Epoch epoch) {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->handle(), "SELECT COUNT(*) FROM files WHERE camera = ? AND epoch = ?");
  query.add(camera).add(to_db(epoch.value()));
  const std::uint64_t count = query.next() ? static_cast<std::uint64_t>(query.integer(0)) : 0;
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return count;
}

Result<FileNumber> Index::max_number(const DeviceId& camera) {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->handle(), "SELECT MAX(number) FROM files WHERE camera = ?");
  query.add(camera);
  const auto number = query.next() ? FileNumber(static_cast<std::uint64_t>(query.integer(0))) : FileNumber();
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return number;
}

}  // namespace sealcam::recordings
