// SPDX-License-Identifier: Apache-2.0
#include "pairing/pairing_service.hpp"

#include <qrencode.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"
#include "pairing/server.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::pairing {

namespace {

constexpr int quiet_zone = 4;  // modules, ISO/IEC 18004 section 5.3.8

/// Under systemd, standard output is usually the journal (systemd.exec(5), $JOURNAL_STREAM). The journal is a log,
/// which must not contain the code.
bool stdout_is_the_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || ::fstat(STDOUT_FILENO, &info) != 0) return false;
  return sealcam::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

std::filesystem::path file_in(const std::filesystem::path& path) {
  std::error_code ec;
  return std::filesystem::is_directory(path, ec) ? path / "pairing.txt" : path;
}

void print(const std::string& text) {
  if (stdout_is_the_journal()) return;
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
  (void)std::fflush(stdout);
}

}  // namespace

Result<std::string> qr_code(std::string_view text) {
  if (text.empty()) return fail(Errc::invalid_argument, "a QR code needs text");
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeString8bit(std::string(text).c_str(), 0, QR_ECLEVEL_M), &QRcode_free);
  if (!code) return fail(errno == ENOMEM ? Errc::no_memory : Errc::invalid_argument, "creating a QR code", errno);
  const int width = code->width;
  const auto black = [&](int x, int y) {
    return x >= 0 && y >= 0 && x < width && y < width && (code->data[y * width + x] & 1) != 0;
  };
  std::string out;
  for (int y = -quiet_zone; y < width + quiet_zone; y += 2) {
    out += "\x1b[30;107m";  // black on white with all color schemes
    for (int x = -quiet_zone; x < width + quiet_zone; ++x) {
      const bool upper = black(x, y), lower = black(x, y + 1);
      out += upper && lower ? "\u2588" : upper ? "\u2580" : lower ? "\u2584" : " ";
    }
    out += "\x1b[0m\n";
  }
  return out;
}

Display::Display(std::filesystem::path file, Log& log)
    : file_(file.empty() ? std::move(file) : file_in(std::move(file))), log_(log) {}

Display::~Display() {
  wipe(std::as_writable_bytes(std::span(shown_)));
  remove_pairing_file(file_);
}

void Display::show(std::string_view pairing_string) {
  if (shown_ == pairing_string) return;
  shown_ = pairing_string;
  const auto code = qr_code(pairing_string);
  print(
      sealcam::format("\nThis device is unpaired. To pair it, run 'sealcam camera pair' or 'sealcam hub link' on the "
                      "owner's machine with\n\n    {}\n\n{}\n",
                      pairing_string, code.value_or("")));
  if (file_.empty()) return;
  if (auto r = write_file_durably(file_, as_bytes(sealcam::format("{}\n", pairing_string))); !r)
    log_.warning("{}", to_string(located(r.error(), file_.native())));
}

void Display::withdraw(std::string_view reason) {
  if (shown_.empty()) return;
  wipe(std::as_writable_bytes(std::span(shown_)));
  shown_.clear();
  remove_pairing_file(file_);
  print(sealcam::format("\n{}\n", reason));
}

void remove_pairing_file(const std::filesystem::path& file) {
  if (file.empty()) return;
  std::error_code ec;
  const auto path = file_in(file);
  if (std::filesystem::remove(path, ec)) (void)sync_folder(path.parent_path());
}

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds poll_interval{500};
constexpr std::size_t max_part = 16U << 10;
constexpr std::size_t max_model = 64;

/// Parses ADDRESS:PORT. A name instead of an address is not accepted.
std::optional<tcp::endpoint> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  else if (host.contains(':')) return std::nullopt;
  std::uint16_t port = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + colon + 1, last, port);
  error_code ec;
  const auto address = asio::ip::make_address(std::string(host), ec);
  if (ec || error != std::errc() || end != last) return std::nullopt;
  return tcp::endpoint(address, port);
}

/// The board's name from the device tree. A PC has none.
std::string board_model() {
  const auto content = read_file("/proc/device-tree/model", max_part);
  std::string model(content ? as_text(*content).substr(0, max_model) : "");
  std::erase_if(model, [](char c) { return c < ' ' || c > '~'; });
  return model.empty() ? "unknown" : model;
}

Result<Endpoint::Device> describe(const PairingServiceDependencies& deps) {
  auto descriptor = read_file(deps.state.files().descriptor(), max_part);
  if (!descriptor) return std::unexpected(descriptor.error());
  const auto request = read_file(deps.state.files().tls_request(), max_part);
  if (!request) return std::unexpected(request.error());
  const auto key = transport::requested_key(as_text(*request));
  if (!key) return std::unexpected(key.error());
  return Endpoint::Device{.role = deps.role,
                          .keys = deps.state.keys(),
                          .descriptor = std::move(*descriptor),
                          .request_pem = std::string(as_text(*request)),
                          .tls_key = *key,
                          .version = std::string(device::version()),
                          .model = board_model()};
}

/// The address of the interface with the default route; nothing without such a route. Sends no packet.
std::optional<std::string> default_route_address() {
  using asio::ip::udp;
  // No host has an address for documentation (RFC 5737, RFC 3849), so only the default route leads there.
  for (const char* target_address : {"192.0.2.1", "2001:db8::1"}) {
    asio::io_context io;
    error_code ec;
    const udp::endpoint target(asio::ip::make_address(target_address), 9);
    udp::socket socket(io);
    socket.open(target.protocol(), ec);
    if (!ec) socket.connect(target, ec);
    if (ec) continue;
    const auto own = socket.local_endpoint(ec).address();
    if (!ec && !own.is_unspecified()) return own.to_string();
  }
  return std::nullopt;
}

enum class End { paired, stopped };

class PairingService {
 public:
  PairingService(const PairingServiceOptions& options, const PairingServiceDependencies& deps, FileTryCounter tries,
                 Endpoint::Device device, protocol::PairingCode code)
      : options_(options),
        deps_(deps),
        tries_(std::move(tries)),
        installer_(deps.state.files(), deps.state.keys().identity.id()),
        endpoint_(std::move(device), std::move(code), {tries_, installer_, deps.clock, deps.log}),
        display_(options.file, deps.log) {}

  Result<End> run();

 private:
  Result<> open();
  void wait_for_signal();
  void poll();
  void show();
  [[nodiscard]] std::optional<std::string> host() const;
  void finish(End end) {
    end_ = end;
    server_->stop();
    io_.stop();
  }

  const PairingServiceOptions& options_;
  const PairingServiceDependencies& deps_;
  FileTryCounter tries_;
  device::FolderInstaller installer_;
  Endpoint endpoint_;
  Display display_;
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  asio::steady_timer timer_{io_};
  std::unique_ptr<Server> server_;
  tcp::endpoint bound_;
  device::ServiceManager manager_{deps_.clock};
  End end_ = End::stopped;
  bool logged_no_address_ = false;
};

Result<> PairingService::open() {
  const auto port = deps_.role == protocol::Role::hub ? hub_port : camera_port;
  std::vector<tcp::endpoint> addresses = {{tcp::v4(), port}, {tcp::v6(), port}};
  if (!options_.listen.empty()) {
    const auto given = parse_address(options_.listen);
    if (!given) return fail(Errc::invalid_argument, "--pairing-listen must be ADDRESS:PORT, such as 0.0.0.0:8421");
    addresses = {*given};
  }
  const auto key = device::read_tls_key(deps_.state.files());
  if (!key) return std::unexpected(key.error());
  const auto tls = transport::TlsContext::make_pairing_server(*key, deps_.state.keys().identity.id().to_string());
  if (!tls) return std::unexpected(tls.error());
  const auto paired = [this] { finish(End::paired); };
  auto server = Server::open(io_, addresses, *tls, endpoint_, paired);
  if (!server && server.error().code == Errc::unsupported && addresses.size() > 1) {
    addresses.pop_back();  // the kernel has no IPv6
    server = Server::open(io_, addresses, *tls, endpoint_, paired);
  }
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  bound_ = server_->addresses().front();
  return {};
}

std::optional<std::string> PairingService::host() const {
  if (!options_.host.empty()) return options_.host;
  if (!bound_.address().is_unspecified()) return bound_.address().to_string();
  return default_route_address();
}

void PairingService::show() {
  if (endpoint_.closed())
    return display_.withdraw("Pairing is closed after too many wrong codes. Switch this device off and on.");
  const auto where = host();
  if (!where) {
    if (!std::exchange(logged_no_address_, true))
      deps_.log.info("pairing: waiting for a default route; to use another address, set --pairing-host");
    return;
  }
  logged_no_address_ = false;
  const protocol::PairingString text{
      deps_.state.keys().identity.id(), endpoint_.code().duplicate(), {*where, bound_.port()}};
  std::string revealed = text.reveal();
  display_.show(revealed);
  wipe(std::as_writable_bytes(std::span(revealed)));
}

/// An owner on this machine may write the state folder, and the address may change.
void PairingService::poll() {
  std::error_code ec;
  if (!endpoint_.paired() && std::filesystem::exists(deps_.state.files().enrollment(), ec)) {
    deps_.log.info("pairing: an owner on this machine enrolled this device");
    return finish(End::paired);
  }
  show();
  manager_.alive();
  timer_.expires_after(poll_interval);
  timer_.async_wait([this](error_code stop) {
    if (!stop) poll();
  });
}

void PairingService::wait_for_signal() {
  signals_.async_wait([this](error_code error, int) {
    if (!error) finish(End::stopped);
  });
}

Result<End> PairingService::run() {
  if (auto r = open(); !r) return std::unexpected(r.error());
  for (const auto& address : server_->addresses())
    deps_.log.info("pairing: the unpaired {} {} listens on {}:{}", protocol::name(deps_.role),
                   deps_.state.keys().identity.id().to_string(),
                   address.address().is_v6() ? sealcam::format("[{}]", address.address().to_string())
                                             : address.address().to_string(),
                   address.port());
  if (endpoint_.closed())
    deps_.log.warning("pairing: closed after {} wrong codes; switch the device off and on", tries_.used());
  wait_for_signal();
  poll();
  // Ready means that the program runs. The start of the unit must not fail while the device waits for its owner.
  manager_.ready();
  io_.run();
  return end_;
}

Result<End> offer_pairing(const PairingServiceOptions& options, const PairingServiceDependencies& deps) {
  if (!options.host.empty() && protocol::parse_host(options.host) != options.host)
    return fail(Errc::invalid_argument, "--pairing-host must be an address without brackets, or a host name");
  auto boot = boot_id();
  if (!boot) return std::unexpected(boot.error());
  auto tries = FileTryCounter::open(deps.state.files().pairing_tries(), std::move(*boot));
  if (!tries) return std::unexpected(tries.error());
  auto device = describe(deps);
  if (!device) return std::unexpected(device.error());
  auto code = protocol::PairingCode::draw();
  if (!code) return std::unexpected(code.error());
  PairingService service(options, deps, std::move(*tries), std::move(*device), std::move(*code));
  return service.run();
}

}  // namespace

std::expected<device::Enrollment, int> require_enrollment(const PairingServiceOptions& options,
                                                          const PairingServiceDependencies& deps) {
  const auto& files = deps.state.files();
  const auto role = protocol::name(deps.role);
  std::string why;
  auto enrollment = device::read_enrollment(files, &why);
  if (!enrollment && enrollment.error().code == Errc::not_found) {
    if (options.disabled) {
      deps.log.error("this {0} is unpaired; run on the owner's machine: sealcam {0} enroll {1}", role,
                     files.folder.string());
      return std::unexpected(EX_CONFIG);
    }
    const auto end = offer_pairing(options, deps);
    if (!end) {
      deps.log.error("pairing: {}", to_string(end.error()));
      return std::unexpected(device::exit_code(end.error().code));
    }
    if (*end == End::stopped) return std::unexpected(EX_OK);
    enrollment = device::read_enrollment(files, &why);
  }
  remove_pairing_file(options.file);
  if (!enrollment) {
    deps.log.error("{}", why.empty() ? to_string(enrollment.error()) : why);
    return std::unexpected(device::exit_code(enrollment.error().code));
  }
  if (enrollment->role != deps.role) {
    deps.log.error("{} is not the enrollment of a {}: reset the device", files.enrollment().string(), role);
    return std::unexpected(EX_CONFIG);
  }
  return std::move(*enrollment);
}

}  // namespace sealcam::pairing
