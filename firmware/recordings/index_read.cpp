// SPDX-License-Identifier: Apache-2.0
#include "recordings/index_database.hpp"

namespace sealcam::recordings {

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

Result<std::vector<Motion>> Index::motion(const DeviceId& camera, const TimeRange& range) {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->connection.get(),
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
