// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/bus.hpp"

#include <string_view>
#include <utility>

#include "core/printable.hpp"

namespace sealcam::hal::networkmanager {

static constexpr std::size_t longest_words = 200;
static constexpr std::uint64_t call_limit_us = 20'000'000;  // a slow card's scan can hold NetworkManager up

Refusal as_refusal(const sd_bus_error& error) {
  const std::string_view name = error.name == nullptr ? "" : error.name;
  // For the log, which is somebody's terminal at last.
  Refusal refusal{.words = printable(error.message == nullptr ? name : error.message, longest_words)};
  const auto is = [&](auto... names) { return ((name == names) || ...); };
  if (is("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
         "org.freedesktop.DBus.Error.Disconnected") ||
      name.starts_with("org.freedesktop.DBus.Error.Spawn."))
    refusal.fault = JoinFault::unmanaged;
  else if (name == "org.freedesktop.DBus.Error.AccessDenied" || name.ends_with(".PermissionDenied") ||
           name.ends_with(".NotAuthorized"))
    refusal.fault = JoinFault::not_permitted;
  refusal.gone = is("org.freedesktop.DBus.Error.UnknownObject", "org.freedesktop.DBus.Error.UnknownMethod",
                    "org.freedesktop.DBus.Error.UnknownInterface", "org.freedesktop.NetworkManager.UnknownConnection",
                    "org.freedesktop.NetworkManager.ConnectionNotActive");
  return refusal;
}

Result<std::unique_ptr<Bus>> Bus::connect(const std::string& address) {
  sd_bus* raw = nullptr;
  if (address.empty()) {
    if (const int r = ::sd_bus_open_system(&raw); r < 0) return fail(Errc::connection, "open the system's bus", -r);
    return std::unique_ptr<Bus>(new Bus(raw));
  }
  if (const int r = ::sd_bus_new(&raw); r < 0) return fail(Errc::connection, "make a bus", -r);
  std::unique_ptr<Bus> bus(new Bus(raw));
  int r = ::sd_bus_set_address(raw, address.c_str());
  if (r >= 0) r = ::sd_bus_set_bus_client(raw, 1);
  if (r >= 0) r = ::sd_bus_start(raw);
  if (r < 0) return fail(Errc::connection, "open a bus", -r);
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

void Bus::stay_with(sd_bus_message& answer) {
  if (const char* sender = ::sd_bus_message_get_sender(&answer)) to_ = sender;
}

int Bus::on_answer(sd_bus_message* reply, void* data, sd_bus_error*) {
  // An answer may begin the next call, which takes this one's place.
  const auto call = static_cast<Call*>(data)->shared_from_this();
  if (call->bus.call_ == call) call->bus.call_.reset();
  if (const auto* error = ::sd_bus_message_get_error(reply)) call->otherwise(as_refusal(*error));
  else call->answer(*reply);
  return 0;
}

int Bus::on_signal(sd_bus_message* message, void* data, sd_bus_error*) {
  (*static_cast<Signal*>(data))(*message);
  return 0;
}

void Bus::call(MessagePtr message, Answer answer, Otherwise otherwise) {
  call_.reset();
  if (!message) return otherwise({.words = "no memory for a message"});
  auto call = std::make_shared<Call>(*this, std::move(answer), std::move(otherwise));
  sd_bus_slot* slot = nullptr;
  const int r = ::sd_bus_call_async(bus_.get(), &slot, message.get(), on_answer, call.get(), call_limit_us);
  if (r < 0) return call->otherwise({.fault = JoinFault::unmanaged, .words = "the bus is gone"});
  call->slot.reset(slot);
  call_ = std::move(call);
}

Result<> Bus::watch(const std::string& path, const char* interface, const char* member, Signal signal) {
  match_.reset();
  signal_ = std::make_unique<Signal>(std::move(signal));
  sd_bus_slot* slot = nullptr;
  const int r = ::sd_bus_match_signal_async(bus_.get(), &slot, service, path.c_str(), interface, member, on_signal,
                                            nullptr, signal_.get());
  if (r < 0) return fail(Errc::io, "watch a network card", -r);
  match_.reset(slot);
  return {};
}

Result<> Bus::process() {
  for (int i = 0; i < 64; ++i) {
    const int r = ::sd_bus_process(bus_.get(), nullptr);
    if (r < 0) return fail(Errc::connection, "the bus is gone", -r);
    if (r == 0) break;
  }
  return {};
}

}  // namespace sealcam::hal::networkmanager
