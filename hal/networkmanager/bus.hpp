// SPDX-License-Identifier: Apache-2.0
/// One connection to the message bus, and one call under way on it. Private to this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/result.hpp"
#include "hal/network_control.hpp"

namespace sealcam::hal::networkmanager {

struct CloseBus {
  void operator()(sd_bus* bus) const noexcept { ::sd_bus_close_unref(bus); }
};
struct UnrefMessage {
  void operator()(sd_bus_message* message) const noexcept { ::sd_bus_message_unref(message); }
};
struct UnrefSlot {
  void operator()(sd_bus_slot* slot) const noexcept { ::sd_bus_slot_unref(slot); }
};
using MessagePtr = std::unique_ptr<sd_bus_message, UnrefMessage>;
using SlotPtr = std::unique_ptr<sd_bus_slot, UnrefSlot>;

inline constexpr auto service = "org.freedesktop.NetworkManager";
inline constexpr auto manager_path = "/org/freedesktop/NetworkManager";
inline constexpr auto settings_path = "/org/freedesktop/NetworkManager/Settings";
inline constexpr auto manager_interface = "org.freedesktop.NetworkManager";
inline constexpr auto settings_interface = "org.freedesktop.NetworkManager.Settings";
inline constexpr auto profile_interface = "org.freedesktop.NetworkManager.Settings.Connection";
inline constexpr auto device_interface = "org.freedesktop.NetworkManager.Device";
inline constexpr auto active_interface = "org.freedesktop.NetworkManager.Connection.Active";
inline constexpr auto properties_interface = "org.freedesktop.DBus.Properties";

/// What a call was refused with.
struct Refusal {
  JoinFault fault = JoinFault::other;
  bool gone = false;    ///< the object is not there (any more)
  std::string words{};  ///< printable, at most 200 bytes
};
[[nodiscard]] Refusal as_refusal(const sd_bus_error& error);

/// Never waits. Thread-bound.
class Bus {
 public:
  using Answer = std::move_only_function<void(sd_bus_message&)>;
  using Otherwise = std::move_only_function<void(const Refusal&)>;
  using Signal = std::function<void(sd_bus_message&)>;

  /// `address`: as DBUS_SYSTEM_BUS_ADDRESS; empty: the system's bus. Errors: connection.
  [[nodiscard]] static Result<std::unique_ptr<Bus>> connect(const std::string& address);

  /// Null when there is no memory.
  [[nodiscard]] MessagePtr method(const char* path, const char* interface, const char* member) const;
  /// A property of an object.
  [[nodiscard]] MessagePtr get(const std::string& path, const char* interface, const char* property) const;

  /// From now on calls go to the process that sent this answer and to no other: one that takes its place gives its
  /// objects the same paths anew. A call after its end is refused, as unmanaged.
  void stay_with(sd_bus_message& answer);
  /// Calls go to whichever process is NetworkManager, as at first.
  void stay_with_none() { to_ = service; }

  /// Sends, and has one of both called from process(). A call that is under way is forgotten: its answer does not come.
  void call(MessagePtr message, Answer answer, Otherwise otherwise);
  [[nodiscard]] bool busy() const noexcept { return call_ != nullptr; }
  /// Forgets the call that is under way.
  void forget() noexcept { call_.reset(); }
  /// From now on; one at a time, a new one replaces it. Errors: io.
  [[nodiscard]] Result<> watch(const std::string& path, const char* interface, const char* member, Signal signal);

  /// Sends and receives what can be without waiting. Errors: connection (it is gone).
  [[nodiscard]] Result<> process();

 private:
  struct Call : std::enable_shared_from_this<Call> {
    Bus& bus;
    Answer answer;
    Otherwise otherwise;
    SlotPtr slot;
    Call(Bus& on, Answer good, Otherwise bad) : bus(on), answer(std::move(good)), otherwise(std::move(bad)) {}
  };
  explicit Bus(sd_bus* bus) noexcept : bus_(bus) {}
  static int on_answer(sd_bus_message* reply, void* call, sd_bus_error* error);
  static int on_signal(sd_bus_message* message, void* signal, sd_bus_error* error);

  std::unique_ptr<sd_bus, CloseBus> bus_;
  std::unique_ptr<Signal> signal_;
  SlotPtr match_;
  std::shared_ptr<Call> call_;
  std::string to_ = service;
};

}  // namespace sealcam::hal::networkmanager
