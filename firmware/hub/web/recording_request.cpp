// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/format.hpp"
#include "hub/web/live_stream.hpp"
#include "hub/web/recordings.hpp"

namespace sealcam::hub::web {

namespace {

void name_thread() {
  ::pthread_setname_np(::pthread_self(), "recordings");
  // On Linux, of this thread.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), RecordingPool::nice);
}

}  // namespace

RecordingPool::~RecordingPool() {
  for (auto& thread : threads_) thread.request_stop();
  index_thread_.reset();  // joins, as the next line
  threads_.clear();
}

bool RecordingPool::submit_index(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (index_jobs_.size() >= max_waiting) return false;
    index_jobs_.push_back(std::move(job));
    if (!index_thread_) index_thread_.emplace([this](const std::stop_token& stop) { work_on_index(stop); });
  }
  index_changed_.notify_one();
  return true;
}

void RecordingPool::work_on_index(const std::stop_token& stop) {
  name_thread();
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      index_changed_.wait(lock, stop, [this] { return !index_jobs_.empty(); });
      if (stop.stop_requested()) return;
      job = std::move(index_jobs_.front());
      index_jobs_.pop_front();
    }
    job();
  }
}

bool RecordingPool::submit(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (jobs_.size() >= max_waiting) return false;
    jobs_.push_back(std::move(job));
    start_thread();
  }
  changed_.notify_one();
  return true;
}

bool RecordingPool::submit_stream(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (stream_count_ >= max_streams) return false;
    ++stream_count_;
    streams_.push_back(std::move(job));
    start_thread();
  }
  changed_.notify_one();
  return true;
}

// A hub without clients of recordings has no thread for them.
void RecordingPool::start_thread() {
  if (jobs_.size() + streams_.size() <= idle_ || threads_.size() >= max_threads) return;
  threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

void RecordingPool::work(const std::stop_token& stop) {
  name_thread();
  while (true) {
    Job job;
    bool stream = false;
    {
      std::unique_lock lock(mutex_);
      ++idle_;
      changed_.wait(lock, stop, [this] { return has_job(); });
      --idle_;
      if (stop.stop_requested()) return;
      stream = jobs_.empty();
      auto& queue = stream ? streams_ : jobs_;
      job = std::move(queue.front());
      queue.pop_front();
    }
    job();
    job = nullptr;
    if (!stream) continue;
    const std::scoped_lock lock(mutex_);
    --stream_count_;
  }
}

bool StreamPipe::push(Bytes chunk) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !chunk_; });
    if (closed_) return false;
    chunk_ = std::move(chunk);
  }
  post_(ready_);
  return true;
}

void StreamPipe::finish(Result<> result) {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return;
    result_ = std::move(result);
  }
  post_(ready_);
}

std::optional<Bytes> StreamPipe::take() {
  const std::scoped_lock lock(mutex_);
  auto chunk = std::exchange(chunk_, std::nullopt);
  if (chunk) changed_.notify_one();
  return chunk;
}

std::optional<Result<>> StreamPipe::result() {
  const std::scoped_lock lock(mutex_);
  return chunk_ ? std::nullopt : result_;
}

void StreamPipe::set_camera(const DeviceId& camera) {
  const std::scoped_lock lock(mutex_);
  camera_ = camera;
}

std::optional<DeviceId> StreamPipe::camera() {
  const std::scoped_lock lock(mutex_);
  return camera_;
}

void StreamPipe::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  chunk_.reset();
  changed_.notify_one();
}

namespace {

using Kind = RecordingRequest::Kind;

constexpr std::string_view api_path = "/api/recordings";
constexpr std::string_view media_path = "/recordings/";
constexpr std::string_view events_path = "/api/events";
/// The end of the year 9999.
constexpr std::int64_t max_time = 253'402'300'800'000'000;

constexpr std::string_view time_forms =
    "Use microseconds since 1970 such as 1790000000000000, or RFC 3339 such as 2026-09-21T14:13:20Z.";

struct Query {
  std::optional<std::string> from, to, at, pictures, camera, limit;
};

/// Exactly `digits` digits at the start of `text`, which become shorter.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  int value = 0;
  const auto part = text.substr(0, digits);
  if (part.size() != digits || !std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  std::from_chars(part.data(), part.data() + part.size(), value);
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view one_of) {
  if (text.empty() || !one_of.contains(text.front())) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take(text, "Zz")) return std::chrono::minutes(0);
  const int sign = text.starts_with('-') ? -1 : 1;
  if (!take(text, "+-")) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  return sign * (std::chrono::hours(*hour) + std::chrono::minutes(*minute));
}

/// The digits after the second, as microseconds.
std::optional<std::chrono::microseconds> take_fraction(std::string_view& text) {
  if (!take(text, ".")) return std::chrono::microseconds(0);
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 6) return std::nullopt;
  int value = *take_number(text, digits);
  for (auto i = digits; i < 6; ++i) value *= 10;
  return std::chrono::microseconds(value);
}

std::optional<CaptureTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto number = [&](std::size_t digits, std::string_view after) -> std::optional<int> {
    const auto value = take_number(text, digits);
    return value && (after.empty() || take(text, after)) ? value : std::nullopt;
  };
  const auto year = number(4, "-"), month = year ? number(2, "-") : year, day = month ? number(2, "Tt") : month;
  const auto hour = day ? number(2, ":") : day, minute = hour ? number(2, ":") : hour;
  const auto second = minute ? number(2, "") : minute;
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                            std::chrono::day(static_cast<unsigned>(*day))};
  const auto fraction = take_fraction(text);
  const auto offset = fraction ? take_offset(text) : std::nullopt;
  if (!date.ok() || !offset || !text.empty()) return std::nullopt;
  return CaptureTime{sys_days(date).time_since_epoch() + hours(*hour) + minutes(*minute) + seconds(*second) +
                     *fraction - *offset};
}

/// The error is a text for the answer.
std::expected<Query, std::string> parse_query(std::string_view query) {
  Query out;
  const std::array<std::pair<std::string_view, std::optional<std::string>*>, 6> names{{{"from", &out.from},
                                                                                       {"to", &out.to},
                                                                                       {"at", &out.at},
                                                                                       {"pictures", &out.pictures},
                                                                                       {"camera", &out.camera},
                                                                                       {"limit", &out.limit}}};
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query = end == std::string_view::npos ? "" : query.substr(end + 1);
    const auto equals = pair.find('=');
    const auto known = std::ranges::find(names, pair.substr(0, equals), &decltype(names)::value_type::first);
    if (known == names.end() || equals == std::string_view::npos)
      return std::unexpected(
          "The address has a parameter that the hub does not know. Use from, to, at and pictures, or "
          "for events camera and limit.");
    if (known->second->has_value())
      return std::unexpected(sealcam::format("The address has '{}' twice.", known->first));
    auto value = percent_decoded(pair.substr(equals + 1));
    if (!value) return std::unexpected("The address has a '%' that does not begin an encoded byte.");
    *known->second = std::move(*value);
  }
  return out;
}

std::optional<std::string> read_range(const Query& query, std::chrono::hours max, RecordingRequest& out) {
  if (!query.from || !query.to) return "The address needs both 'from' and 'to'.";
  const auto from = parse_time(*query.from), to = parse_time(*query.to);
  if (!from || !to) return sealcam::format("'{}' is not a time. {}", from ? "to" : "from", time_forms);
  out.range = {*from, *to};
  if (out.range.empty()) return "'to' must be later than 'from'.";
  if (to->since_epoch - from->since_epoch > max)
    return sealcam::format("The range is too long. This address accepts up to {} hours.", max.count());
  return std::nullopt;
}

std::optional<std::string> read_moment(const Query& query, RecordingRequest& out) {
  if (!query.at || query.from || query.to || query.pictures) return "The address needs 'at' and no other parameter.";
  const auto at = parse_time(*query.at);
  if (!at) return sealcam::format("'at' is not a time. {}", time_forms);
  out.at = *at;
  return std::nullopt;
}

std::optional<std::string> read_events(const Query& query, RecordingRequest& out) {
  if (query.at || query.pictures) return "Events have the parameters from, to, camera and limit.";
  if (query.camera && query.camera->empty()) return "'camera' is empty.";
  out.camera = query.camera.value_or("");
  if (query.limit) {
    const auto& text = *query.limit;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out.limit);
    if (ec != std::errc() || end != text.data() + text.size() || out.limit == 0 ||
        out.limit > RecordingRequest::max_limit)
      return sealcam::format("'limit' is a number from 1 to {}.", RecordingRequest::max_limit);
  }
  return read_range(query, max_timeline_range, out);
}

/// Checks the parameters of `out.kind`. The result is a text for the answer.
std::optional<std::string> read_parameters(const Query& query, RecordingRequest& out) {
  if (out.kind == Kind::events) return read_events(query, out);
  if (query.camera || query.limit) return "Only events have the parameters camera and limit.";
  if (out.kind == Kind::units && query.at) out.kind = Kind::key_unit;
  if (out.kind == Kind::still || out.kind == Kind::key_unit) return read_moment(query, out);
  if (query.at) return "Only a picture has 'at'. Use 'from' and 'to'.";
  if (query.pictures) {
    if (out.kind != Kind::units || (query.pictures != "all" && query.pictures != "keys"))
      return "'pictures' is 'all' or 'keys', and only for CAMERA.units.";
    out.keys_only = query.pictures == "keys";
  }
  const bool any = query.from || query.to;
  if (out.kind == Kind::list) return any ? std::optional<std::string>("The list has no parameters.") : std::nullopt;
  if (out.kind == Kind::timeline && !any) return std::nullopt;
  const bool stream = out.kind == Kind::video || out.kind == Kind::units;
  return read_range(query, stream ? max_stream_range : max_timeline_range, out);
}

/// Sets kind and camera. False if there is no such path.
bool read_path(std::string_view path, RecordingRequest& out) {
  struct Ending {
    std::string_view text;
    Kind kind;
  };
  static constexpr std::array endings{Ending{".mp4", Kind::video}, Ending{".jpg", Kind::still},
                                      Ending{".units", Kind::units}};
  if (path == api_path) return true;
  if (path == events_path) {
    out.kind = Kind::events;
    return true;
  }
  std::string_view camera;
  if (path.starts_with(api_path)) {
    camera = path.substr(api_path.size());
    if (!camera.starts_with('/')) return false;
    camera.remove_prefix(1);
    out.kind = Kind::timeline;
  } else {
    const auto ending = std::ranges::find_if(endings, [&](const Ending& e) { return path.ends_with(e.text); });
    if (ending == endings.end() || path.size() <= media_path.size() + ending->text.size()) return false;
    camera = path.substr(media_path.size(), path.size() - media_path.size() - ending->text.size());
    out.kind = ending->kind;
  }
  auto decoded = percent_decoded(camera);
  if (!decoded || decoded->empty()) return false;
  out.camera = std::move(*decoded);
  return true;
}

}  // namespace

bool is_recording_target(std::string_view target) noexcept {
  const auto path = path_of(target);
  return path == api_path || path == events_path || path.starts_with(media_path) ||
         (path.starts_with(api_path) && path.substr(api_path.size()).starts_with('/'));
}

std::optional<CaptureTime> parse_time(std::string_view text) {
  std::optional<CaptureTime> time;
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec == std::errc()) time = CaptureTime{std::chrono::microseconds(value)};
  } else {
    time = parse_rfc3339(text);
  }
  if (time && (time->since_epoch.count() < 0 || time->since_epoch.count() >= max_time)) return std::nullopt;
  return time;
}

std::expected<RecordingRequest, Response> parse_recording_request(const Request& request) {
  RecordingRequest out;
  const std::string_view target = request.target;
  if (!is_recording_target(target) || !read_path(path_of(target), out))
    return std::unexpected(plain(404, "The hub has no recordings with this address."));
  if (request.method == Request::Method::erase) {
    if (out.kind != Kind::timeline)
      return std::unexpected(
          method_rejection("GET, HEAD", "To delete, use /api/recordings/CAMERA?from=TIME&to=TIME with DELETE."));
    out.kind = Kind::erase;
  }
  const auto query_at = target.find('?');
  const auto query = parse_query(query_at == std::string_view::npos ? "" : target.substr(query_at + 1));
  if (!query) return std::unexpected(plain(400, query.error()));
  if (const auto wrong = read_parameters(*query, out)) return std::unexpected(plain(400, *wrong));
  return out;
}

}  // namespace sealcam::hub::web
