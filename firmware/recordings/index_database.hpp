// SPDX-License-Identifier: Apache-2.0
/// For the index only: SQLite with RAII, and the rows of files.
#pragma once

#include <sqlite3.h>

#include <cerrno>
#include <mutex>

#include "recordings/index.hpp"

namespace sealcam::recordings {

struct CloseDatabase {
  void operator()(sqlite3* p) const noexcept { sqlite3_close_v2(p); }
};
struct FinishStatement {
  void operator()(sqlite3_stmt* p) const noexcept { sqlite3_finalize(p); }
};
using Connection = std::unique_ptr<sqlite3, CloseDatabase>;

inline std::unexpected<Error> sqlite_failed(int code) {
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

inline std::int64_t to_db(CaptureTime time) { return time.since_epoch.count(); }
/// SQLite's integers are signed.
inline std::int64_t to_db(std::uint64_t number) { return static_cast<std::int64_t>(number); }

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

inline Result<> execute(sqlite3* database, const char* text) {
  const int code = sqlite3_exec(database, text, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Result<>() : sqlite_failed(code);
}

/// All of `write`, or nothing.
template <class Write>
Result<> transaction(sqlite3* db, Write write) {
  if (auto r = execute(db, "BEGIN IMMEDIATE"); !r) return r;
  auto written = write();
  if (written) written = execute(db, "COMMIT");
  if (!written) (void)execute(db, "ROLLBACK");
  return written;
}

inline constexpr std::string_view select_files =
    "SELECT camera, day, name, number, epoch, begin, \"end\", bytes, reason, first, counters FROM files ";

/// A row of `select_files`. A damaged database may contain any values; names become parts of paths.
inline Result<IndexedFile> read_row(const Query& row) {
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
  file.counters = {static_cast<std::uint64_t>(row.integer(9)), static_cast<std::uint64_t>(row.integer(10))};
  return file;
}

struct Index::Database {
  std::mutex mutex;
  std::filesystem::path path;  ///< empty: in memory
  Connection connection;

  /// Null if the database cannot be opened; a query reports it as an error of input and output.
  [[nodiscard]] sqlite3* handle();
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
  [[nodiscard]] Query select(std::string_view rest) {
    std::string text(select_files);
    text += rest;
    return Query(handle(), text);
  }
};

}  // namespace sealcam::recordings
