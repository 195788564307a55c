// SPDX-License-Identifier: Apache-2.0
#include "recordings/index.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "base/file.hpp"

namespace sealcam::recordings {

namespace {

namespace fs = std::filesystem;

/// Stored in the database (PRAGMA user_version). Another number: the index is built again.
constexpr int schema_version = 1;
constexpr const char* schema = R"(
CREATE TABLE files (
  id INTEGER PRIMARY KEY, camera BLOB NOT NULL, day TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
  epoch INTEGER NOT NULL, begin INTEGER NOT NULL, "end" INTEGER NOT NULL, bytes INTEGER NOT NULL, reason INTEGER NOT NULL,
  UNIQUE (camera, day, name)) STRICT;
CREATE INDEX files_by_time ON files (camera, begin);
CREATE INDEX files_by_end ON files ("end");
CREATE INDEX files_by_epoch ON files (camera, epoch);
CREATE TABLE gaps (
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE, begin INTEGER NOT NULL, "end" INTEGER NOT NULL,
  first INTEGER NOT NULL, frames INTEGER NOT NULL) STRICT;
CREATE INDEX gaps_by_file ON gaps (file);
PRAGMA user_version = 1;
)";
constexpr int busy_timeout_ms = 5000;
constexpr std::string_view select_files =
    "SELECT camera, day, name, number, epoch, begin, \"end\", bytes, reason FROM files ";
constexpr std::string_view insert_file =
    "INSERT INTO files (camera, day, name, number, epoch, begin, \"end\", bytes, reason) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

struct CloseDatabase {
  void operator()(sqlite3* p) const noexcept { sqlite3_close_v2(p); }
};
struct FinishStatement {
  void operator()(sqlite3_stmt* p) const noexcept { sqlite3_finalize(p); }
};
using Connection = std::unique_ptr<sqlite3, CloseDatabase>;

std::unexpected<Error> sqlite_failed(int code) {
  if (code == SQLITE_IOERR_SHORT_READ) return fail(Errc::malformed, "the index of the recordings is damaged", code);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a table is missing
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:  // the index of a damaged table
    case SQLITE_FORMAT: return fail(Errc::malformed, "the index of the recordings is damaged", code);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return fail(Errc::permission, "the index of the recordings is not writable");
    case SQLITE_NOMEM: return fail(Errc::no_memory, "the index of the recordings");
    case SQLITE_FULL: return fail(Errc::io, "the index of the recordings", ENOSPC);
    default: return fail(Errc::io, "the index of the recordings");
  }
}

std::int64_t to_db(CaptureTime time) { return time.since_epoch.count(); }
/// SQLite's integers are signed.
std::int64_t to_db(std::uint64_t number) { return static_cast<std::int64_t>(number); }

/// One statement: values for its parameters, then its rows. The first error stays.
class Query {
 public:
  Query(sqlite3* database, std::string_view text) {
    sqlite3_stmt* statement = nullptr;
    error_ = sqlite3_prepare_v2(database, text.data(), static_cast<int>(text.size()), &statement, nullptr);
    statement_.reset(statement);
  }
  Query& add(std::int64_t value) { return check(sqlite3_bind_int64(statement_.get(), ++parameter_, value)); }
  Query& add(std::string_view text) {
    return check(sqlite3_bind_text(statement_.get(), ++parameter_, text.data(), static_cast<int>(text.size()),
                                   SQLITE_TRANSIENT));
  }
  Query& add(const DeviceId& id) {
    return check(
        sqlite3_bind_blob(statement_.get(), ++parameter_, id.bytes().data(), DeviceId::size, SQLITE_TRANSIENT));
  }
  /// False at the end, and after an error.
  bool next() {
    if (error_ != SQLITE_OK) return false;
    const int code = sqlite3_step(statement_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) error_ = code;
    return code == SQLITE_ROW;
  }
  [[nodiscard]] Result<> run() {
    while (next()) {
    }
    return result();
  }
  [[nodiscard]] Result<> result() const { return error_ == SQLITE_OK ? Result<>() : sqlite_failed(error_); }

  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  [[nodiscard]] CaptureTime time(int column) const { return {std::chrono::microseconds(integer(column))}; }
  [[nodiscard]] bool is_null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }
  [[nodiscard]] std::string text(int column) const {
    const auto* const text = sqlite3_column_text(statement_.get(), column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), size);
  }
  [[nodiscard]] Result<DeviceId> id(int column) const {
    const auto* const blob = static_cast<const std::byte*>(sqlite3_column_blob(statement_.get(), column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return DeviceId::from(blob == nullptr ? ByteView() : ByteView(blob, size));
  }

 private:
  Query& check(int code) {
    if (error_ == SQLITE_OK) error_ = code;
    return *this;
  }
  std::unique_ptr<sqlite3_stmt, FinishStatement> statement_;
  int error_ = SQLITE_OK;
  int parameter_ = 0;
};

Result<> execute(sqlite3* database, const char* text) {
  const int code = sqlite3_exec(database, text, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Result<>() : sqlite_failed(code);
}

/// A row of `select_files`. A damaged database may contain any values; names become parts of paths.
Result<IndexedFile> read_row(const Query& row) {
  const auto camera = row.id(0);
  IndexedFile file;
  file.file.day = row.text(1);
  file.file.name = row.text(2);
  const auto reason = row.integer(8);
  if (!camera || !is_day_name(file.file.day) || !is_file_name(file.file.name) || reason < 0 ||
      reason > static_cast<std::int64_t>(EndReason::cloned))
    return fail(Errc::malformed, "the index of the recordings is damaged");
  file.file.camera = *camera;
  file.number = FileNumber(static_cast<std::uint64_t>(row.integer(3)));
  file.epoch = Epoch(static_cast<std::uint64_t>(row.integer(4)));
  file.time = {row.time(5), row.time(6)};
  file.bytes = static_cast<std::uint64_t>(row.integer(7));
  file.reason = static_cast<EndReason>(reason);
  return file;
}

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

struct Index::Database {
  std::mutex mutex;
  fs::path path;  ///< empty: in memory
  Connection connection;

  [[nodiscard]] Result<std::vector<IndexedFile>> read(Query query) const {
    std::vector<IndexedFile> files;
    while (query.next()) {
      auto file = read_row(query);
      if (!file) return std::unexpected(file.error());
      files.push_back(std::move(*file));
    }
    if (auto r = query.result(); !r) return std::unexpected(r.error());
    return files;
  }
  [[nodiscard]] Result<std::optional<IndexedFile>> read_one(Query query) const {
    auto files = read(std::move(query));
    if (!files) return std::unexpected(files.error());
    return files->empty() ? std::nullopt : std::optional(std::move(files->front()));
  }
  [[nodiscard]] Query select(std::string_view rest) const {
    std::string text(select_files);
    text += rest;
    return Query(connection.get(), text);
  }
};

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

Result<> Index::put(const IndexedFile& f, const std::vector<Gap>& gaps) {
  const std::scoped_lock lock(database_->mutex);
  auto* const db = database_->connection.get();
  if (auto r = execute(db, "BEGIN IMMEDIATE"); !r) return r;
  const auto written = [&]() -> Result<> {
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
    if (auto r = insert.add(static_cast<std::int64_t>(f.reason)).run(); !r) return r;
    const auto id = sqlite3_last_insert_rowid(db);
    for (const auto& gap : gaps) {
      Query query(db, "INSERT INTO gaps (file, begin, \"end\", first, frames) VALUES (?, ?, ?, ?, ?)");
      query.add(id).add(to_db(gap.time.begin)).add(to_db(gap.time.end)).add(to_db(gap.first.value()));
      if (auto r = query.add(to_db(gap.frames)).run(); !r) return r;
    }
    return execute(db, "COMMIT");
  }();
  if (!written) (void)execute(db, "ROLLBACK");
  return written;
}

Result<> Index::remove(const FileName& file) {
  const std::scoped_lock lock(database_->mutex);
  return Query(database_->connection.get(), "DELETE FROM files WHERE camera = ? AND day = ? AND name = ?")
      .add(file.camera)
      .add(file.day)
      .add(file.name)
      .run();
}

Result<std::vector<DeviceId>> Index::cameras() {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->connection.get(), "SELECT DISTINCT camera FROM files ORDER BY camera");
  std::vector<DeviceId> ids;
  while (query.next()) {
    const auto id = query.id(0);
    if (!id) return fail(Errc::malformed, "the index of the recordings is damaged");
    ids.push_back(*id);
  }
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return ids;
}

Result<std::vector<IndexedFile>> Index::files(const DeviceId& camera, const TimeRange& range) {
  const std::scoped_lock lock(database_->mutex);
  auto query = database_->select("WHERE camera = ? AND begin < ? AND \"end\" >= ? ORDER BY begin, number");
  query.add(camera).add(to_db(range.end)).add(to_db(range.begin));
  return database_->read(std::move(query));
}

Result<std::vector<Gap>> Index::gaps(const DeviceId& camera, const TimeRange& range) {
  const std::scoped_lock lock(database_->mutex);
  Query query(
      database_->connection.get(),
      "SELECT gaps.begin, gaps.\"end\", gaps.first, gaps.frames, files.epoch FROM gaps JOIN files ON gaps.file = "
      "files.id WHERE files.camera = ? AND files.begin < ? AND files.\"end\" >= ? AND gaps.begin < ? AND "
      "gaps.\"end\" >= ? ORDER BY gaps.begin, gaps.first");
  query.add(camera).add(to_db(range.end)).add(to_db(range.begin)).add(to_db(range.end)).add(to_db(range.begin));
  std::vector<Gap> gaps;
  while (query.next())
    gaps.push_back({.time = {query.time(0), query.time(1)},
                    .epoch = Epoch(static_cast<std::uint64_t>(query.integer(4))),
                    .first = Counter(static_cast<std::uint64_t>(query.integer(2))),
                    .frames = static_cast<std::uint64_t>(query.integer(3))});
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return gaps;
}

Result<std::optional<IndexedFile>> Index::at_or_before(const DeviceId& camera, CaptureTime time) {
  const std::scoped_lock lock(database_->mutex);
  auto query = database_->select("WHERE camera = ? AND begin <= ? ORDER BY begin DESC, number DESC LIMIT 1");
  query.add(camera).add(to_db(time));
  return database_->read_one(std::move(query));
}

Result<std::optional<IndexedFile>> Index::oldest() {
  const std::scoped_lock lock(database_->mutex);
  auto query = database_->select("WHERE reason <> 0 ORDER BY \"end\" LIMIT 1");
  return database_->read_one(std::move(query));
}

Result<std::optional<CaptureTime>> Index::newest() {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->connection.get(), "SELECT MAX(\"end\") FROM files");
  std::optional<CaptureTime> time;
  if (query.next() && !query.is_null(0)) time = query.time(0);
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return time;
}

Result<Usage> Index::usage() {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->connection.get(), "SELECT TOTAL(bytes), COUNT(*) FROM files WHERE reason <> 0");
  Usage usage;
  if (query.next())
    usage = {static_cast<std::uint64_t>(query.integer(0)), static_cast<std::uint64_t>(query.integer(1))};
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return usage;
}

Result<std::uint64_t> Index::files_of_epoch(const DeviceId& camera, Epoch epoch) {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->connection.get(), "SELECT COUNT(*) FROM files WHERE camera = ? AND epoch = ?");
  query.add(camera).add(to_db(epoch.value()));
  const std::uint64_t count = query.next() ? static_cast<std::uint64_t>(query.integer(0)) : 0;
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return count;
}

Result<FileNumber> Index::max_number(const DeviceId& camera) {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->connection.get(), "SELECT MAX(number) FROM files WHERE camera = ?");
  query.add(camera);
  const auto number = query.next() ? FileNumber(static_cast<std::uint64_t>(query.integer(0))) : FileNumber();
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return number;
}

}  // namespace sealcam::recordings
