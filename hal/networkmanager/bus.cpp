// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/bus.hpp"

#include <string_view>
#include <utility>

#include "base/format.hpp"

namespace sealcam::hal::networkmanager {

static constexpr std::size_t max_text = 200;
static constexpr std::size_t max_paths = 1000;              // one call for each follows
static constexpr std::uint64_t call_limit_us = 20'000'000;  // the scan of a slow adapter can block NetworkManager

BusError to_bus_error(const sd_bus_error& error) {
  const std::string_view name = error.name == nullptr ? "" : error.name;
  // The log may be shown on a terminal.
  BusError rejection{.text = printable(error.message == nullptr ? name : error.message, max_text)};
  const auto is = [&](auto... names) { return ((name == names) || ...); };
  if (is("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
         "org.freedesktop.DBus.Error.Disconnected") ||
      name.starts_with("org.freedesktop.DBus.Error.Spawn."))
    rejection.fault = JoinFault::unmanaged;
  else if (name == "org.freedesktop.DBus.Error.AccessDenied" || name.ends_with(".PermissionDenied") ||
           name.ends_with(".NotAuthorized"))
    rejection.fault = JoinFault::not_permitted;
  rejection.gone = is("org.freedesktop.DBus.Error.UnknownObject", "org.freedesktop.DBus.Error.UnknownMethod",
                      "org.freedesktop.DBus.Error.UnknownInterface", "org.freedesktop.NetworkManager.UnknownConnection",
                      "org.freedesktop.NetworkManager.ConnectionNotActive");
  return rejection;
}

std::vector<std::string> read_paths(sd_bus_message& reply) {
  std::vector<std::string> paths;
  if (::sd_bus_message_enter_container(&reply, 'a', "o") < 0) return paths;
  const char* path = nullptr;
  while (paths.size() < max_paths && ::sd_bus_message_read(&reply, "o", &path) > 0) paths.emplace_back(path);
  return paths;
}

std::string read_path(sd_bus_message& reply) {
  const char* path = nullptr;
  return ::sd_bus_message_read(&reply, "o", &path) > 0 ? path : "";
}

std::uint32_t read_number(sd_bus_message& reply) {
  std::uint32_t number = 0;
  return ::sd_bus_message_read(&reply, "v", "u", &number) > 0 ? number : 0;
}

Result<std::unique_ptr<Bus>> Bus::connect(const std::string& address) {
  sd_bus* raw = nullptr;
  if (address.empty()) {
    if (const int r = ::sd_bus_open_system(&raw); r < 0) return fail(Errc::connection, "opening the system's bus", -r);
    return std::unique_ptr<Bus>(new Bus(raw));
  }
  if (const int r = ::sd_bus_new(&raw); r < 0) return fail(Errc::connection, "making a bus", -r);
  std::unique_ptr<Bus> bus(new Bus(raw));
  int r = ::sd_bus_set_address(raw, address.c_str());
  if (r >= 0) r = ::sd_bus_set_bus_client(raw, 1);
  if (r >= 0) r = ::sd_bus_start(raw);
  if (r < 0) return fail(Errc::connection, "opening a bus", -r);
  return bus;
}

MessagePtr Bus::method(const char* path, const char* interface, const char* member) const {
  sd_bus_message* message = nullptr;
  if (::sd_bus_message_new_method_call(bus_.get(), &message, to_.c_str(), path, interface, member) < 0) return nullptr;
  return MessagePtr(message);
}

MessagePtr Bus::get(const std::string& path, const char* interface, const char* property) const {
  auto message = method(path.c_str(), properties_interface, "Get");
  if (message && ::sd_bus_message_append(message.get(), "ss", interface, property) < 0) return nullptr;
  return message;
}

void Bus::pin(sd_bus_message& answer) {
  if (const char* sender = ::sd_bus_message_get_sender(&answer)) to_ = sender;
}

int Bus::on_answer(sd_bus_message* reply, void* data, sd_bus_error*) {
  // The answer may start the next call, which replaces call_.
  const auto call = static_cast<Call*>(data)->shared_from_this();
  if (call->bus.call_ == call) call->bus.call_.reset();
  if (const auto* error = ::sd_bus_message_get_error(reply)) call->fallback(to_bus_error(*error));
  else call->answer(*reply);
  return 0;
}

int Bus::on_signal(sd_bus_message* message, void* data, sd_bus_error*) {
  (*static_cast<Signal*>(data))(*message);
  return 0;
}

void Bus::call(MessagePtr message, Answer answer, Fallback fallback) {
  call_.reset();
  if (!message) return fallback({.text = "no memory for a message"});
  auto call = std::make_shared<Call>(*this, std::move(answer), std::move(fallback));
  sd_bus_slot* slot = nullptr;
  const int r = ::sd_bus_call_async(bus_.get(), &slot, message.get(), on_answer, call.get(), call_limit_us);
  if (r < 0) return call->fallback({.fault = JoinFault::unmanaged, .text = "the connection to D-Bus ended"});
  call->slot.reset(slot);
  call_ = std::move(call);
}

Result<> Bus::watch(const std::string& path, const char* interface, const char* member, Signal signal) {
  match_.reset();
  signal_ = std::make_unique<Signal>(std::move(signal));
  sd_bus_slot* slot = nullptr;
  const int r = ::sd_bus_match_signal_async(bus_.get(), &slot, service, path.c_str(), interface, member, on_signal,
                                            nullptr, signal_.get());
  if (r < 0) return fail(Errc::io, "watching a Wi-Fi adapter", -r);
  match_.reset(slot);
  return {};
}

Result<> Bus::process() {
  for (int i = 0; i < 64; ++i) {
    const int r = ::sd_bus_process(bus_.get(), nullptr);
    if (r < 0) return fail(Errc::connection, "the connection to D-Bus ended", -r);
    if (r == 0) break;
  }
  return {};
}

}  // namespace sealcam::hal::networkmanager
