// SPDX-License-Identifier: Apache-2.0
/// The part of the index about single frames: those that the hub has, lacks, or must not request again.
#include <map>

#include "base/format.hpp"
#include "recordings/index_database.hpp"

namespace sealcam::recordings {

namespace {

/// Rows of deleted files; older ones are of epochs that no camera keeps.
constexpr std::int64_t max_deleted = 10000;
constexpr std::int64_t max_erased = 1000;
const DeviceId all_cameras{};

/// The values of a damaged database may be anything; CounterSet rejects what is no counter.
CounterRange range_of(const Query& query, int column) {
  return {static_cast<std::uint64_t>(query.integer(column)), static_cast<std::uint64_t>(query.integer(column + 1))};
}

/// `which`: a condition for rows of files.
Result<CounterSet> received_of(sqlite3* db, const DeviceId& camera, Epoch epoch, std::string_view which) {
  std::map<std::int64_t, CounterSet> gaps;
  Query gap(db,
            "SELECT gaps.file, gaps.first, gaps.frames FROM gaps JOIN files ON gaps.file = files.id WHERE "
            "files.camera = ? AND files.epoch = ?");
  gap.add(camera).add(to_db(epoch.value()));
  while (gap.next()) (void)gaps[gap.integer(0)].add(range_of(gap, 1));
  if (auto r = gap.result(); !r) return std::unexpected(r.error());
  CounterSet received;
  std::string text("SELECT id, first, counters FROM files WHERE camera = ? AND epoch = ? AND counters > 0");
  text += which;
  Query file(db, text);
  file.add(camera).add(to_db(epoch.value()));
  while (file.next()) {
    const auto range = range_of(file, 1);
    for (const auto& part : gaps[file.integer(0)].missing(range.first, range.first + range.count - 1))
      received.add_missing(part);
  }
  if (auto r = file.result(); !r) return std::unexpected(r.error());
  return received;
}

}  // namespace

Result<CounterSet> Index::received(const DeviceId& camera, Epoch epoch) {
  const std::scoped_lock lock(database_->mutex);
  auto* const db = database_->handle();
  auto received = received_of(db, camera, epoch, " AND reason <> 0");
  if (!received) return received;
  Query query(db, "SELECT first, counters FROM deleted WHERE camera = ? AND epoch = ?");
  query.add(camera).add(to_db(epoch.value()));
  while (query.next()) received->add_missing(range_of(query, 0));
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return received;
}

Result<> Index::note_deleted(const FileName& file) {
  const std::scoped_lock lock(database_->mutex);
  auto* const db = database_->handle();
  Query found(db, "SELECT id, epoch FROM files WHERE camera = ? AND day = ? AND name = ?");
  found.add(file.camera).add(file.day).add(file.name);
  if (!found.next()) return found.result();
  const auto epoch = found.integer(1);
  const auto received = received_of(db, file.camera, Epoch(static_cast<std::uint64_t>(epoch)),
                                    sealcam::format(" AND id = {}", found.integer(0)));
  if (!received) return std::unexpected(received.error());
  return transaction(db, [&]() -> Result<> {
    for (const auto& range : received->ranges()) {
      Query insert(db, "INSERT INTO deleted (camera, epoch, first, counters) VALUES (?, ?, ?, ?)");
      insert.add(file.camera).add(epoch).add(to_db(range.first));
      if (auto r = insert.add(to_db(range.count)).run(); !r) return r;
    }
    Query limit(db, "DELETE FROM deleted WHERE id <= (SELECT MAX(id) FROM deleted) - ?");
    return limit.add(max_deleted).run();
  });
}

Result<> Index::note_erased(const DeviceId& camera, const TimeRange& range) {
  const std::scoped_lock lock(database_->mutex);
  auto* const db = database_->handle();
  Query insert(db, "INSERT INTO erased (camera, begin, \"end\") VALUES (?, ?, ?)");
  insert.add(camera).add(to_db(range.begin));
  if (auto r = insert.add(to_db(range.end)).run(); !r) return r;
  Query limit(db, "DELETE FROM erased WHERE camera <> ? AND id <= (SELECT MAX(id) FROM erased) - ?");
  return limit.add(all_cameras).add(max_erased).run();
}

Result<> Index::note_made(CaptureTime now) {
  const std::scoped_lock lock(database_->mutex);
  Query insert(database_->handle(),
               "INSERT INTO erased (camera, begin, \"end\") SELECT ?, ?, ? WHERE NOT EXISTS "
               "(SELECT 1 FROM erased WHERE camera = ?)");
  insert.add(all_cameras).add(to_db(all_times.begin)).add(to_db(now));
  return insert.add(all_cameras).run();
}

Result<std::vector<TimeRange>> Index::erased(const DeviceId& camera) {
  const std::scoped_lock lock(database_->mutex);
  Query query(database_->handle(), "SELECT begin, \"end\" FROM erased WHERE camera = ? OR camera = ?");
  query.add(camera).add(all_cameras);
  std::vector<TimeRange> ranges;
  while (query.next()) ranges.push_back({query.time(0), query.time(1)});
  if (auto r = query.result(); !r) return std::unexpected(r.error());
  return ranges;
}

Result<std::vector<Gap>> Index::gaps(const DeviceId& camera, const TimeRange& range) {
  const std::scoped_lock lock(database_->mutex);
  Query query(
      database_->handle(),
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
  std::map<Epoch, CounterSet> received;
  std::vector<Gap> open;
  for (const auto& gap : gaps) {
    if (!received.contains(gap.epoch)) {
      auto of_epoch = received_of(database_->handle(), camera, gap.epoch, "");
      if (!of_epoch) return std::unexpected(of_epoch.error());
      received.emplace(gap.epoch, std::move(*of_epoch));
    }
    const auto first = gap.first.value();
    for (const auto& part : received.at(gap.epoch).missing(first, first + gap.frames - 1))
      open.push_back({gap.time, gap.epoch, Counter(part.first), part.count});
  }
  return open;
}

}  // namespace sealcam::recordings
