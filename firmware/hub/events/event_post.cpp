// SPDX-License-Identifier: Apache-2.0
#include "hub/events/event_post.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <concepts>
#include <deque>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/file.hpp"
#include "base/format.hpp"
#include "protocol/pairing.hpp"
#include "transport/tls/tls_stream.hpp"

namespace sealcam::hub::events {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using recordings::MotionSpans;

namespace {

constexpr std::size_t max_url = 2048;
constexpr std::size_t max_authorities = 4U << 20;
constexpr std::chrono::seconds attempt_time{10};
constexpr std::array<std::chrono::seconds, 3> pauses{std::chrono::seconds(5), std::chrono::seconds(30),
                                                     std::chrono::seconds(120)};
constexpr const char* system_authorities = "/etc/ssl/certs/ca-certificates.crt";

/// RFC 3986 section 3.3 and 3.4.
bool is_target(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~!$&'()*+,;=:@/?%").contains(c);
  });
}

bool is_accepted(unsigned status) noexcept { return status >= 200 && status <= 299; }
bool is_final(unsigned status) noexcept { return status >= 400 && status <= 499 && status != 408 && status != 429; }

}  // namespace

std::optional<EventBegin> EventTracker::on_motion(const DeviceId& camera, CaptureTime wall, BootTime boot) {
  auto& track = tracks_[camera];
  const bool begins = track.events == 0 || boot - track.newest > MotionSpans::max_pause;
  track.newest = boot;
  if (!begins) return std::nullopt;
  ++track.events;
  if (!may_report(track, boot)) {
    ++track.suppressed;
    return std::nullopt;
  }
  return EventBegin{camera, wall, std::exchange(track.suppressed, 0)};
}

bool EventTracker::may_report(Track& track, BootTime now) {
  if (track.events == 1 || now - track.window >= report_time) {
    track.window = now;
    track.reports = 0;
  }
  if (track.reports >= max_reports) return false;
  ++track.reports;
  return true;
}

std::vector<CameraEvents> EventTracker::cameras(BootTime now) const {
  std::vector<CameraEvents> all;
  all.reserve(tracks_.size());
  for (const auto& [camera, track] : tracks_)
    all.push_back({camera, track.events, now - track.newest <= MotionSpans::max_pause});
  return all;
}

std::string PostUrl::authority() const {
  const auto text = protocol::HostPort{host, port}.to_string();
  const std::string_view standard = tls ? ":443" : ":80";
  return text.ends_with(standard) ? text.substr(0, text.size() - standard.size()) : text;
}

Result<PostUrl> parse_post_url(std::string_view text) {
  static constexpr std::string_view plain = "http://", secure = "https://";
  const auto malformed =
      fail(Errc::malformed, "must be an address such as https://ntfy.sh or http://192.168.1.5:8123/x");
  PostUrl url;
  url.tls = text.starts_with(secure);
  if ((!url.tls && !text.starts_with(plain)) || text.size() > max_url) return malformed;
  text.remove_prefix(url.tls ? secure.size() : plain.size());
  const auto end = std::min(text.find_first_of("/?"), text.size());
  std::string place(text.substr(0, end));
  url.target = text.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  if (place.contains('@') || !is_target(url.target)) return malformed;
  const auto colon = place.rfind(':');
  if (colon == std::string::npos || place.ends_with(']')) place += url.tls ? ":443" : ":80";
  auto parsed = protocol::HostPort::parse(place);
  if (!parsed) return malformed;
  url.host = std::move(parsed->host);
  url.port = parsed->port;
  return url;
}

std::string event_message(const EventBegin& event, std::string_view name, std::string_view topic) {
  using Json = nlohmann::json;
  Json json = {{"type", "event"},
               {"event", "motion"},
               {"camera", event.camera.to_string()},
               {"begin_us", event.begin.since_epoch.count()},
               {"suppressed", event.suppressed},
               {"title", "Sealcam"},
               {"message", name.empty() ? std::string("Motion") : sealcam::format("Motion: {}", name)}};
  if (!name.empty()) json["name"] = name;
  if (!topic.empty()) json["topic"] = topic;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_private(const asio::ip::address& address) noexcept {
  if (address.is_v6()) {
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped()) return is_private(asio::ip::make_address_v4(asio::ip::v4_mapped, v6));
    return v6.is_loopback() || v6.is_link_local() || (v6.to_bytes()[0] & 0xfe) == 0xfc;
  }
  const auto v4 = address.to_v4().to_bytes();
  return v4[0] == 127 || v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) || (v4[0] == 192 && v4[1] == 168) ||
         (v4[0] == 169 && v4[1] == 254);
}

std::optional<unsigned> answer_status(std::string_view line) noexcept {
  if (!line.starts_with("HTTP/1.") || line.size() < 12) return std::nullopt;
  if ((line[7] != '0' && line[7] != '1') || line[8] != ' ') return std::nullopt;
  unsigned status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return std::nullopt;
    status = status * 10 + static_cast<unsigned>(c - '0');
  }
  if (line.size() > 12 && line[12] != ' ' && line[12] != '\r') return std::nullopt;
  if (status < 100 || status > 599) return std::nullopt;
  return status;
}

namespace {

/// One attempt. Its handlers keep it, because they use the stream and the buffers until they ran.
struct Attempt {
  std::variant<std::monostate, tcp::socket, transport::TlsStream> stream;
  std::string request, answer;

  [[nodiscard]] tcp::socket& socket() {
    if (auto* const plain = std::get_if<tcp::socket>(&stream)) return *plain;
    return std::get<transport::TlsStream>(stream).next_layer();
  }
  void close() {
    error_code ignored;
    if (stream.index() != 0) socket().close(ignored);
  }
};

}  // namespace

/// Handlers keep it alive, also after the end of the poster.
struct EventPoster::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, PostUrl to, Log& l)
      : io(context), url(std::move(to)), log(l), resolver(context), timer(context) {}

  /// A handler that does nothing after its attempt ended.
  template <class Action>
  auto handler(Action action) {
    // The constraint is necessary because Asio also accepts other functions in place of a handler.
    return
        [self = shared_from_this(), mine = current, action]<class... Results>(error_code ec, const Results&... results)
      requires std::invocable<const Action&, State&, error_code, const Results&...>
    {
      if (mine == self->current) action(*self, ec, results...);
    };
  }

  void begin() {
    current = std::make_shared<Attempt>();
    current->request = sealcam::format(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sealcam-hub\r\nContent-Type: application/json\r\n"
        "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
        url.target, url.authority(), waiting.front().size(), waiting.front());
    timer.expires_after(attempt_time);
    timer.async_wait(handler([](State& s, error_code ec) {
      if (!ec) s.end("no answer within 10 s", false);
    }));
    resolver.async_resolve(url.host, std::to_string(url.port),
                           handler([](State& s, error_code ec, const tcp::resolver::results_type& found) {
                             if (ec) return s.end(ec.message(), false);
                             s.connect(found);
                           }));
  }

  void connect(const tcp::resolver::results_type& found) {
    std::vector<tcp::endpoint> endpoints;
    for (const auto& entry : found)
      if (url.tls || is_private(entry.endpoint().address())) endpoints.push_back(entry.endpoint());
    if (endpoints.empty()) return end("http:// is for private networks only; use https://", true);
    if (url.tls) current->stream.emplace<transport::TlsStream>(io.get_executor(), *tls).set_server_name(url.host);
    else current->stream.emplace<tcp::socket>(io);
    asio::async_connect(current->socket(), endpoints, handler([](State& s, error_code ec, const tcp::endpoint&) {
                          if (ec) return s.end(ec.message(), false);
                          s.connected();
                        }));
  }

  void connected() {
    auto* const stream = std::get_if<transport::TlsStream>(&current->stream);
    if (stream == nullptr) return exchange(std::get<tcp::socket>(current->stream));
    stream->async_handshake(transport::TlsStream::handshake_type::client, handler([](State& s, error_code ec) {
                              auto& secured = std::get<transport::TlsStream>(s.current->stream);
                              const auto why = secured.failure();
                              if (ec) return s.end(why.empty() ? ec.message() : why, false);
                              s.exchange(secured);
                            }));
  }

  template <class Stream>
  void exchange(Stream& stream) {
    // Also read after a failed write: the answer explains more.
    asio::async_write(stream, asio::buffer(current->request), handler([&stream](State& s, error_code, std::size_t) {
                        asio::async_read_until(stream, asio::dynamic_buffer(s.current->answer, max_answer), "\r\n",
                                               s.handler([](State& state, error_code ec, std::size_t size) {
                                                 state.on_answer(ec, size);
                                               }));
                      }));
  }

  void on_answer(error_code ec, std::size_t size) {
    if (ec) return end(ec == asio::error::not_found ? "the answer is not HTTP" : ec.message(), false);
    const auto status = answer_status(std::string_view(current->answer).substr(0, size));
    if (!status) return end("the answer is not HTTP", false);
    if (!is_accepted(*status)) return end(sealcam::format("HTTP status {}", *status), is_final(*status));
    ++counts.sent;
    if (!fault.empty()) log.info("events: {} accepts events again", url.authority());
    fault.clear();
    next();
  }

  /// The attempt failed. `is_final`: another attempt would fail, too.
  void end(std::string_view why, bool is_final) {
    close();
    const auto text = sealcam::format("{}: {}", url.authority(), printable(why, 200));
    if (fault.empty()) log.warning("events: an event was not accepted by {}", text);
    fault = text;
    if (is_final || failures == pauses.size()) {
      ++counts.failed;
      return next();
    }
    timer.expires_after(pauses.at(failures++));
    timer.async_wait(handler([](State& s, error_code ec) {
      if (!ec && !s.waiting.empty()) s.begin();
    }));
  }

  void next() {
    close();
    failures = 0;
    waiting.pop_front();
    if (!waiting.empty()) begin();
  }

  /// Ends the attempt.
  void close() {
    timer.cancel();
    resolver.cancel();
    if (current) current->close();
    current = std::make_shared<Attempt>();  // differs from that of all handlers
  }

  asio::io_context& io;
  PostUrl url;
  Log& log;
  std::optional<transport::TlsContext> tls;  ///< with https
  tcp::resolver resolver;
  asio::steady_timer timer;
  std::shared_ptr<Attempt> current;
  std::deque<std::string> waiting;  ///< the first one is being sent
  std::size_t failures = 0;         ///< of the first one
  bool stopped = false;
  PostCounts counts;
  std::string fault;
};

Result<std::unique_ptr<EventPoster>> EventPoster::open(asio::io_context& io, const PostSettings& settings, Log& log) {
  auto state = std::make_shared<State>(io, *settings.url, log);
  if (settings.url->tls) {
    const auto file = settings.authority.empty() ? std::filesystem::path(system_authorities) : settings.authority;
    const auto pem = read_file(file, max_authorities);
    if (!pem) return std::unexpected(located(pem.error(), file.native()));
    auto context = transport::TlsContext::make_web_client(as_text(*pem));
    if (!context) return std::unexpected(located(context.error(), file.native()));
    state->tls = std::move(*context);
  }
  return std::unique_ptr<EventPoster>(new EventPoster(std::move(state)));
}

EventPoster::EventPoster(std::shared_ptr<State> state) : state_(std::move(state)) {}
EventPoster::~EventPoster() { stop(); }

void EventPoster::post(std::string message) {
  if (state_->stopped) return;
  if (state_->waiting.size() >= max_waiting) {
    ++state_->counts.dropped;
    return;
  }
  state_->waiting.push_back(std::move(message));
  if (state_->waiting.size() == 1) state_->begin();
}

void EventPoster::stop() {
  state_->stopped = true;
  state_->close();
  state_->waiting.clear();
}

const PostCounts& EventPoster::counts() const noexcept { return state_->counts; }
const std::string& EventPoster::fault() const noexcept { return state_->fault; }

}  // namespace sealcam::hub::events
