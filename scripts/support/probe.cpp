// SPDX-License-Identifier: Apache-2.0
/// A viewer without a screen. It connects to a hub's WebSocket as a page does, counts the pictures and measures their
/// latency. With --decode it also reads the camera's number from each picture. firmware/docs/hub-api.md describes the
/// format. This program has its own parser and shares no code with the hub.
///
///     sealcam-probe --url ws://127.0.0.1:PORT/ws --token-file FILE [--seconds N] [--json] [--output FILE] [--decode]
///                   [--expect-camera N] [--dump FILE.h264]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.hpp"
#include "base/types.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/codec.hpp"

using namespace sealcam;
namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using Json = nlohmann::json;

namespace {

struct Options {
  std::string url;
  double seconds = 0;
  bool json = false;
  bool decode = false;
  std::string output, dump, token;
  std::optional<std::uint16_t> expect_camera;
};

constexpr std::size_t header_size = 80;

struct Picture {
  bool live = false, key = false, cached = false;
  DeviceId camera;
  std::uint32_t number = 0;
  std::int64_t captured_us = 0;
  std::uint64_t epoch = 0, counter = 0;
  std::int64_t handed_out_us = 0;
  ByteView unit;
};

Result<Picture> parse(ByteView m) {
  if (m.size() < header_size || m[0] != std::byte{1} || m[1] != std::byte{1}) return fail(Errc::malformed, "message");
  const auto flags = std::to_integer<unsigned>(m[3]);
  Picture p;
  p.live = m[2] == std::byte{1};
  p.key = (flags & 1) != 0;
  p.cached = (flags & 8) != 0;
  p.camera = DeviceId(m.subspan<4, 20>());
  p.number = load_be<std::uint32_t>(m.subspan(24));
  p.captured_us = load_be<std::int64_t>(m.subspan(28));
  p.epoch = load_be<std::uint64_t>(m.subspan(40));
  p.counter = load_be<std::uint64_t>(m.subspan(48));
  p.handed_out_us = load_be<std::int64_t>(m.subspan(56));
  p.unit = m.subspan(header_size);
  return p;
}

/// Milliseconds; keeps the newest 200,000.
class Times {
 public:
  void add(std::int64_t us) {
    if (values_.size() < max_values) values_.push_back(us);
    else values_[next_++ % max_values] = us;
  }
  [[nodiscard]] Json percentile(double share) const {
    if (values_.empty()) return 0;
    auto v = values_;
    const auto at = v.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(v.size() - 1));
    std::nth_element(v.begin(), at, v.end());
    return static_cast<double>(*at / 10) / 100.0;
  }

 private:
  static constexpr std::size_t max_values = 200'000;
  std::vector<std::int64_t> values_;
  std::size_t next_ = 0;
};

struct Camera {
  std::uint64_t live = 0, stale = 0, keys = 0, bytes = 0, decoded = 0, undecodable = 0, unmarked = 0;
  std::map<std::uint16_t, std::uint64_t> marks;
  std::uint64_t epoch = 0, counter = 0;
  std::uint32_t number = 0;
  std::unique_ptr<hal::VideoDecoder> decoder;
};

class Probe {
 public:
  explicit Probe(Options options) : options_(std::move(options)) {
    if (!options_.dump.empty()) dump_.open(options_.dump, std::ios::binary | std::ios::trunc);
  }

  int run() {
    signals_.async_wait([this](auto ec, int) {
      if (!ec) finish(0);
    });
    if (options_.seconds > 0) {
      end_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
          std::chrono::duration<double>(options_.seconds)));
      end_.async_wait([this](auto ec) {
        if (!ec) finish(0);
      });
    }
    connect();
    io_.run();
    write();
    if (options_.json) std::cout << report().dump() << std::endl;
    return exit_;
  }

 private:
  void connect() {
    const auto rest = options_.url.substr(options_.url.find("//") + 2);
    const auto authority = rest.substr(0, rest.find('/'));
    const auto colon = authority.rfind(':');
    boost::system::error_code ec;
    auto& tcp_layer = beast::get_lowest_layer(socket_);
    tcp_layer.connect(tcp::endpoint(asio::ip::make_address(authority.substr(0, colon), ec),
                                    static_cast<std::uint16_t>(std::stoul(authority.substr(colon + 1)))),
                      ec);
    if (!ec) tcp_layer.set_option(tcp::no_delay(true), ec);
    socket_.set_option(beast::websocket::stream_base::decorator([&](beast::websocket::request_type& request) {
      request.set(beast::http::field::origin, "http://" + authority);
      request.set(beast::http::field::authorization, "Bearer " + options_.token);
    }));
    if (!ec) socket_.handshake(authority, rest.substr(rest.find('/')), ec);
    if (ec) {
      std::cerr << "sealcam-probe: " << options_.url << ": " << ec.message() << "\n";
      exit_ = 69;
      return io_.stop();
    }
    begun_us_ = now_us();
    socket_.read_message_max(4U << 20);
    socket_.write(asio::buffer(std::string_view(R"({"watch":"all"})")));
    read();
    tick();
  }

  void tick() {
    write();
    timer_.expires_after(std::chrono::milliseconds(100));
    timer_.async_wait([this](auto ec) {
      if (!ec) tick();
    });
  }

  void read() {
    buffer_.consume(buffer_.size());
    socket_.async_read(buffer_, [this](beast::error_code ec, std::size_t) {
      if (ec) {
        std::cerr << "sealcam-probe: the hub closed the connection: " << ec.message() << "\n";
        return finish(69);
      }
      const auto data = buffer_.cdata();
      const ByteView message(static_cast<const std::byte*>(data.data()), data.size());
      if (socket_.got_text()) ++texts_;
      else on_picture(message);
      read();
    });
  }

  void on_picture(ByteView message) {
    const auto now = now_us();
    const auto parsed = parse(message);
    if (!parsed) return void(++malformed_);
    const auto& p = *parsed;
    auto& camera = cameras_[p.camera];
    if (first_us_ == 0) first_us_ = now;
    if (p.live && first_live_us_ == 0) first_live_us_ = now;
    ++(p.live ? camera.live : camera.stale);
    camera.keys += p.key;
    camera.bytes += p.unit.size();
    if (camera.epoch == p.epoch && (p.counter <= camera.counter || p.number <= camera.number)) {
      // A still and a key frame may have the same picture.
      if (p.number != camera.number || !p.key) ++out_of_order_;
    }
    camera.epoch = p.epoch;
    camera.counter = p.counter;
    camera.number = p.number;
    if (!p.cached) {
      if (p.live) {
        latency_.add(now - p.captured_us);
        hand_out_.add(p.handed_out_us - p.captured_us);
      }
    }
    if (p.live && now - p.captured_us > 5'000'000) ++live_too_old_;
    if (dump_) dump_.write(reinterpret_cast<const char*>(p.unit.data()), static_cast<std::streamsize>(p.unit.size()));
    if (options_.decode) decode(camera, p);
  }

  void decode(Camera& camera, const Picture& p) {
    if (!camera.decoder) {
      auto decoder = hal::ffmpeg::FfmpegDecoder::open();
      if (!decoder) return finish(70);
      camera.decoder = std::move(*decoder);
    }
    const auto picture = camera.decoder->decode(p.unit);
    if (!picture) return void(++camera.undecodable);
    if (!*picture) return;
    ++camera.decoded;
    const auto mark = hal::fake::read_mark(**picture);
    if (mark) ++camera.marks[mark->camera];
    else ++camera.unmarked;
    if (mark && mark->number.value() != p.number) ++wrong_number_;
    const bool own = mark && (!options_.expect_camera || mark->camera == *options_.expect_camera);
    if (!own) ++unexpected_;
  }

  [[nodiscard]] Json report() const {
    Json cameras = Json::object();
    std::uint64_t live = 0, stale = 0, decoded = 0, undecodable = 0;
    for (const auto& [id, c] : cameras_) {
      live += c.live;
      stale += c.stale;
      decoded += c.decoded;
      undecodable += c.undecodable;
      Json marks = Json::object();
      for (const auto& [mark, count] : c.marks) marks[std::to_string(mark)] = count;
      cameras[id.to_string()] = {{"live", c.live},         {"stale", c.stale},     {"key_frames", c.keys},
                                 {"bytes", c.bytes},       {"decoded", c.decoded}, {"undecodable", c.undecodable},
                                 {"unmarked", c.unmarked}, {"marks", marks}};
    }
    const double seconds = static_cast<double>(now_us() - begun_us_) / 1e6;
    return {{"live", live},
            {"stale", stale},
            {"seconds", seconds},
            {"fps", first_us_ == 0 ? 0.0
                                   : static_cast<double>(live + stale) * 1e6 /
                                         static_cast<double>(std::max<std::int64_t>(1, now_us() - first_us_))},
            {"latency_ms_p50", latency_.percentile(0.5)},
            {"latency_ms_p95", latency_.percentile(0.95)},
            {"latency_ms_p99", latency_.percentile(0.99)},
            {"hand_out_ms_p50", hand_out_.percentile(0.5)},
            {"hand_out_ms_p95", hand_out_.percentile(0.95)},
            {"hand_out_ms_p99", hand_out_.percentile(0.99)},
            {"first_picture_at_ms", first_us_ / 1000},
            {"first_live_at_ms", first_live_us_ / 1000},
            {"first_picture_ms", first_us_ == 0 ? 0 : (first_us_ - begun_us_) / 1000},
            {"live_too_old", live_too_old_},
            {"out_of_order", out_of_order_},
            {"malformed", malformed_},
            {"texts", texts_},
            {"decoded", decoded},
            {"undecodable", undecodable},
            {"unexpected", unexpected_},
            {"wrong_number", wrong_number_},
            {"cameras", cameras}};
  }

  void write() const {
    if (options_.output.empty()) return;
    const auto part = options_.output + ".part";
    std::ofstream(part) << report().dump() << "\n";
    std::error_code ignored;
    std::filesystem::rename(part, options_.output, ignored);
  }

  void finish(int code) {
    exit_ = code;
    io_.stop();
  }

  [[nodiscard]] std::int64_t now_us() const { return clock_.wall().since_epoch.count(); }

  Options options_;
  SystemClock clock_;
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  asio::steady_timer end_{io_}, timer_{io_};
  beast::websocket::stream<tcp::socket> socket_{io_};
  beast::flat_buffer buffer_;
  std::ofstream dump_;
  std::map<DeviceId, Camera> cameras_;
  Times latency_, hand_out_;
  std::int64_t begun_us_ = 0, first_us_ = 0, first_live_us_ = 0;
  std::uint64_t live_too_old_ = 0, out_of_order_ = 0, malformed_ = 0, texts_ = 0, unexpected_ = 0, wrong_number_ = 0;
  int exit_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Counts, times and decodes the pictures of a hub.");
  app.add_option("--url", options.url, "ws://ADDRESS:PORT/ws")
      ->required()
      ->check(CLI::Validator(
          [](const std::string& url) {
            const bool good = url.starts_with("ws://") && url.find('/', 5) != std::string::npos &&
                              url.find(':', 5) != std::string::npos;
            return good ? std::string() : std::string("must be ws://ADDRESS:PORT/ws");
          },
          "URL"));
  std::string token_file;
  app.add_option("--token-file", token_file, "file with an access token of the hub")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--seconds", options.seconds, "end after this many seconds (default: run until SIGTERM)");
  app.add_flag("--json", options.json, "print the result");
  app.add_option("--output", options.output, "write the result into this file ten times a second");
  app.add_flag("--decode", options.decode, "decode each picture and read the mark of the fake source");
  app.add_option("--expect-camera", options.expect_camera,
                 "count pictures with another mark, or without one, as unexpected");
  app.add_option("--dump", options.dump, "write every access unit into this file");
  CLI11_PARSE(app, argc, argv);
  std::ifstream(token_file) >> options.token;
  try {
    return Probe(std::move(options)).run();
  } catch (const std::exception& e) {
    std::cerr << "sealcam-probe: " << e.what() << "\n";
    return 70;
  }
}
