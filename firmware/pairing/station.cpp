// SPDX-License-Identifier: Apache-2.0
#include "pairing/station.hpp"

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <csignal>
#include <format>

#include "pairing/display.hpp"
#include "pairing/own_address.hpp"
#include "pairing/server.hpp"
#include "transport/certificate.hpp"

namespace sealcam::pairing {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds look_interval{500};
constexpr std::size_t largest_part = 16U << 10;
constexpr std::size_t longest_model = 64;

/// ADDRESS:PORT with an address, not a name; nothing otherwise.
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

/// The board's name as its device tree has it; a PC has none.
std::string board_model() {
  const auto content = read_file("/proc/device-tree/model", largest_part);
  std::string model(content ? as_text(*content).substr(0, longest_model) : "");
  std::erase_if(model, [](char c) { return c < ' ' || c > '~'; });
  return model.empty() ? "unknown" : model;
}

Result<transport::TlsKey> tls_key(const DeviceState& state) {
  auto pem = state.tls_key_pem();
  if (!pem) return std::unexpected(pem.error());
  auto key = transport::TlsKey::from_pem(as_bytes(*pem));
  wipe(std::as_writable_bytes(std::span(pem->data(), pem->size())));
  return key;
}

Result<Endpoint::Device> describe(const StationParts& parts) {
  auto card = read_file(parts.state.files().card(), largest_part);
  if (!card) return std::unexpected(card.error());
  const auto request = read_file(parts.state.files().tls_request(), largest_part);
  if (!request) return std::unexpected(request.error());
  const auto key = transport::requested_key(as_text(*request));
  if (!key) return std::unexpected(key.error());
  return Endpoint::Device{.role = parts.role,
                          .keys = parts.state.keys(),
                          .card = std::move(*card),
                          .request_pem = std::string(as_text(*request)),
                          .tls_key = *key,
                          .version = parts.version,
                          .model = board_model()};
}

class Station {
 public:
  Station(const StationOptions& options, const StationParts& parts, FileTryCounter tries, Endpoint::Device device,
          protocol::PairingCode code)
      : options_(options),
        parts_(parts),
        tries_(std::move(tries)),
        installer_(parts.state.files()),
        endpoint_(std::move(device), std::move(code), {tries_, installer_, parts.clock, parts.log}),
        display_(options.file, parts.log) {}

  Result<StationEnd> run();

 private:
  Result<> open();
  void wait_for_signal();
  void look();
  void show();
  [[nodiscard]] std::optional<std::string> host() const;
  void finish(StationEnd end) {
    end_ = end;
    server_->stop();
    io_.stop();
  }

  const StationOptions& options_;
  const StationParts& parts_;
  FileTryCounter tries_;
  FolderInstaller installer_;
  Endpoint endpoint_;
  Display display_;
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  asio::steady_timer timer_{io_};
  std::unique_ptr<Server> server_;
  tcp::endpoint bound_;
  StationEnd end_ = StationEnd::stopped;
  bool said_no_address_ = false;
};

Result<> Station::open() {
  const auto port = parts_.role == protocol::Role::hub ? hub_port : camera_port;
  std::vector<tcp::endpoint> addresses = {{tcp::v4(), port}, {tcp::v6(), port}};
  if (!options_.listen.empty()) {
    const auto asked = parse_address(options_.listen);
    if (!asked) return fail(Errc::invalid_argument, "--pairing-listen takes ADDRESS:PORT, such as 0.0.0.0:8421");
    addresses = {*asked};
  }
  const auto key = tls_key(parts_.state);
  if (!key) return std::unexpected(key.error());
  const auto tls = transport::TlsContext::make_pairing_server(*key, parts_.state.keys().identity.id().to_string());
  if (!tls) return std::unexpected(tls.error());
  const auto paired = [this] { finish(StationEnd::paired); };
  auto server = Server::open(io_, addresses, *tls, endpoint_, paired);
  if (!server && server.error().code == Errc::unsupported && addresses.size() > 1) {
    addresses.pop_back();  // a kernel without IPv6
    server = Server::open(io_, addresses, *tls, endpoint_, paired);
  }
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  bound_ = server_->addresses().front();
  return {};
}

std::optional<std::string> Station::host() const {
  if (!options_.host.empty()) return options_.host;
  if (!bound_.address().is_unspecified()) return bound_.address().to_string();
  return address_towards_the_world();
}

void Station::show() {
  if (endpoint_.closed())
    return display_.withdraw("Pairing is closed after too many wrong codes: switch this device off and on.");
  const auto where = host();
  if (!where) {
    if (!std::exchange(said_no_address_, true))
      parts_.log.info("pairing: waiting for a network; --pairing-host says another address");
    return;
  }
  said_no_address_ = false;
  const protocol::PairingString text{
      parts_.state.keys().identity.id(), endpoint_.code().duplicate(), {*where, bound_.port()}};
  std::string revealed = text.reveal();
  display_.show(revealed);
  wipe(std::as_writable_bytes(std::span(revealed)));
}

/// An owner on this machine may write the state folder; and networks come and go.
void Station::look() {
  std::error_code ec;
  if (!endpoint_.paired() && std::filesystem::exists(parts_.state.files().enrolment(), ec)) {
    parts_.log.info("pairing: this device was enrolled on this machine");
    return finish(StationEnd::paired);
  }
  show();
  if (parts_.alive) parts_.alive();
  timer_.expires_after(look_interval);
  timer_.async_wait([this](error_code stop) {
    if (!stop) look();
  });
}

void Station::wait_for_signal() {
  signals_.async_wait([this](error_code error, int) {
    if (!error) finish(StationEnd::stopped);
  });
}

Result<StationEnd> Station::run() {
  if (auto r = open(); !r) return std::unexpected(r.error());
  for (const auto& address : server_->addresses())
    parts_.log.info(
        "pairing: {} {} belongs to nobody yet and listens on {}:{}", protocol::name(parts_.role),
        parts_.state.keys().identity.id().to_string(),
        address.address().is_v6() ? std::format("[{}]", address.address().to_string()) : address.address().to_string(),
        address.port());
  if (endpoint_.closed())
    parts_.log.warning("pairing: closed after {} wrong codes, until the device is switched off and on", tries_.used());
  wait_for_signal();
  look();
  if (parts_.ready) parts_.ready();
  io_.run();
  return end_;
}

}  // namespace

Result<StationEnd> run_station(const StationOptions& options, const StationParts& parts) {
  if (!options.host.empty()) {
    const bool v6 = options.host.contains(':');
    if (!protocol::HostPort::parse(std::format("{}{}{}:1", v6 ? "[" : "", options.host, v6 ? "]" : "")))
      return fail(Errc::invalid_argument, "--pairing-host takes an address or a name");
  }
  auto boot = boot_id();
  if (!boot) return std::unexpected(boot.error());
  auto tries = FileTryCounter::open(parts.state.files().folder / "pairing-tries", std::move(*boot));
  if (!tries) return std::unexpected(tries.error());
  auto device = describe(parts);
  if (!device) return std::unexpected(device.error());
  auto code = protocol::PairingCode::draw();
  if (!code) return std::unexpected(code.error());
  Station station(options, parts, std::move(*tries), std::move(*device), std::move(*code));
  return station.run();
}

}  // namespace sealcam::pairing
