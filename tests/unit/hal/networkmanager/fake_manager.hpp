// SPDX-License-Identifier: Apache-2.0
/// A scripted NetworkManager and D-Bus daemon behind a socket. It has no thread: pump() processes the messages of
/// both ends.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "hal/networkmanager/networkmanager.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::test {

class FakeManager {
 public:
  std::map<std::string, std::string> reject;   ///< member -> name of the error
  std::string message = "scripted";            ///< of each rejection
  std::string owner = ":1.1";                  ///< of the well-known name; empty: no owner
  std::map<std::string, std::string> unsaved;  ///< profile -> its file
  std::size_t profiles = 3;                    ///< from the fourth on, all are /s/many
  std::uint32_t adapter_type = 2, card_state = 100, active_state = 1;
  std::uint32_t network_flags = 0x100;  ///< NM80211ApSecurityFlags of "at home"
  int scans_until_seen = 0;             ///< queries until the list has "at home"
  std::vector<std::string> calls;       ///< member and the relevant arguments
  std::string passphrase, key_management;
  int nobody_there = 0;  ///< calls while the name had no owner

  FakeManager() : listening_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    REQUIRE(path().size() < sizeof(where.sun_path));
    std::memcpy(where.sun_path, path().data(), path().size());
    REQUIRE(::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
    REQUIRE(::listen(listening_.get(), 4) == 0);
  }
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;
  ~FakeManager() { die(); }

  [[nodiscard]] std::string path() const { return (folder_.path() / "bus").string(); }
  [[nodiscard]] std::string address() const { return "unix:path=" + path(); }

  hal::JoinProgress drain_once(hal::NetworkControl& network) {
    process();
    return network.step();
  }
  /// Processes the messages of both ends until none is left.
  hal::JoinProgress pump(hal::NetworkControl& network) {
    hal::JoinProgress progress;
    for (int i = 0; i < 60; ++i) {
      progress = network.step();
      process();
    }
    return progress;
  }
  void descriptor_states(std::uint32_t now, std::uint32_t before, std::uint32_t reason) {
    sd_bus_message* signal = nullptr;
    REQUIRE(::sd_bus_message_new_signal(bus_, &signal, "/d/wifi", "org.freedesktop.NetworkManager.Device",
                                        "StateChanged") >= 0);
    REQUIRE(::sd_bus_message_set_sender(signal, "org.freedesktop.NetworkManager") >= 0);
    REQUIRE(::sd_bus_message_append(signal, "uuu", now, before, reason) >= 0);
    REQUIRE(::sd_bus_send(bus_, signal, nullptr) >= 0);
    ::sd_bus_message_unref(signal);
  }
  /// Another process gets the name. It has only the files of the profiles.
  void restart() { owner = owner == ":1.1" ? ":1.2" : ":1.1"; }
  /// The bus ends, as after a crash.
  void die() {
    if (bus_ != nullptr) ::sd_bus_close_unref(bus_);
    bus_ = nullptr;
  }
  /// Whether the camera's end of the connection is open.
  [[nodiscard]] bool connected() const { return bus_ != nullptr; }
  [[nodiscard]] bool called(std::string_view what) const {
    return std::ranges::any_of(calls, [&](const auto& call) { return call.starts_with(what); });
  }

 private:
  void process() {
    const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      die();
      sd_id128_t id{};
      id.bytes[0] = 1;
      REQUIRE(::sd_bus_new(&bus_) >= 0);
      REQUIRE(::sd_bus_set_fd(bus_, fd, fd) >= 0);
      REQUIRE(::sd_bus_set_server(bus_, 1, id) >= 0);
      REQUIRE(::sd_bus_add_filter(bus_, nullptr, on_message, this) >= 0);
      REQUIRE(::sd_bus_start(bus_) >= 0);
    }
    for (int i = 0; i < 16 && bus_ != nullptr; ++i) {
      const int r = ::sd_bus_process(bus_, nullptr);
      if (r < 0) die();
      if (r <= 0) break;
    }
  }

  static int on_message(sd_bus_message* m, void* self, sd_bus_error*) {
    if (::sd_bus_message_is_method_call(m, nullptr, nullptr) <= 0) return 0;
    static_cast<FakeManager*>(self)->answer(m);
    return 1;
  }

  template <class... Args>
  void reply(sd_bus_message* m, const char* types, Args... args) const {
    sd_bus_message* answer = begin_answer(m);
    REQUIRE(::sd_bus_message_append(answer, types, args...) >= 0);
    send(answer);
  }
  [[nodiscard]] sd_bus_message* begin_answer(sd_bus_message* m) const {
    sd_bus_message* answer = nullptr;
    REQUIRE(::sd_bus_message_new_method_return(m, &answer) >= 0);
    REQUIRE(::sd_bus_message_set_sender(answer, owner.c_str()) >= 0);
    return answer;
  }
  static void send(sd_bus_message* answer) {
    REQUIRE(::sd_bus_send(nullptr, answer, nullptr) >= 0);
    ::sd_bus_message_unref(answer);
  }
  /// Whether the message is for the current owner of the name.
  [[nodiscard]] bool reaches(std::string_view destination) const {
    return !owner.empty() && (destination == owner || destination == "org.freedesktop.NetworkManager");
  }

  void answer(sd_bus_message* m) {
    const std::string member = ::sd_bus_message_get_member(m);
    const std::string path = ::sd_bus_message_get_path(m);
    if (member == "Hello") {
      REQUIRE(::sd_bus_reply_method_return(m, "s", ":1.7") >= 0);
      return;
    }
    if (member == "AddMatch" || member == "RemoveMatch") {
      REQUIRE(::sd_bus_reply_method_return(m, "") >= 0);
      return;
    }
    if (!reaches(::sd_bus_message_get_destination(m))) {
      ++nobody_there;
      REQUIRE(::sd_bus_reply_method_errorf(m, "org.freedesktop.DBus.Error.ServiceUnknown", "not provided") >= 0);
      return;
    }
    if (reject.contains(member)) {
      calls.push_back(member + " rejected");
      REQUIRE(::sd_bus_reply_method_errorf(m, reject[member].c_str(), "%s", message.c_str()) >= 0);
      return;
    }
    if (member == "GetDevices") return reply(m, "ao", 2, "/d/lo", "/d/wifi");
    if (member == "GetAll" && path.starts_with("/s/")) return answer_profile(m, path);
    if (member == "GetAllAccessPoints")
      return scans_until_seen-- > 0 ? reply(m, "ao", 1, "/p/other") : reply(m, "ao", 2, "/p/other", "/p/home");
    if (member == "GetAll" && path.starts_with("/p/")) return answer_access_point(m, path);
    if (member == "GetAll") return answer_device(m, path);
    if (member == "Get") return reply(m, "v", "u", active_state);
    if (member == "ListConnections") return answer_profiles(m);
    if (member == "GetSettings")
      return reply(m, "a{sa{sv}}", 2, "ipv4", 1, "method", "s", "auto", "connection", 2, "type", "s", "802-11-wireless",
                   "id", "s", path == "/s/home" ? "home" : "sealcam");
    answer_change(m, member, path);
  }

  void answer_profiles(sd_bus_message* m) const {
    sd_bus_message* answer = begin_answer(m);
    REQUIRE(::sd_bus_message_open_container(answer, 'a', "o") >= 0);
    for (std::size_t i = 3; i < profiles; ++i) REQUIRE(::sd_bus_message_append(answer, "o", "/s/many") >= 0);
    for (const char* path : {"/s/old", "/s/home", "/s/new"}) REQUIRE(::sd_bus_message_append(answer, "o", path) >= 0);
    REQUIRE(::sd_bus_message_close_container(answer) >= 0);
    send(answer);
  }

  void answer_profile(sd_bus_message* m, const std::string& path) const {
    const auto it = unsaved.find(path);
    const bool saved = it == unsaved.end();
    reply(m, "a{sv}", 3, "Unsaved", "b", saved ? 0 : 1, "Flags", "u", saved ? 0U : 1U, "Filename", "s",
          saved ? "/etc/NetworkManager/system-connections/saved.nmconnection" : it->second.c_str());
  }

  void answer_access_point(sd_bus_message* m, const std::string& path) const {
    const std::string ssid = path == "/p/home" ? "at home" : "at home 2";
    sd_bus_message* answer = begin_answer(m);
    REQUIRE(::sd_bus_message_open_container(answer, 'a', "{sv}") >= 0);
    REQUIRE(::sd_bus_message_open_container(answer, 'e', "sv") >= 0);
    REQUIRE(::sd_bus_message_append(answer, "s", "Ssid") >= 0);
    REQUIRE(::sd_bus_message_open_container(answer, 'v', "ay") >= 0);
    REQUIRE(::sd_bus_message_append_array(answer, 'y', ssid.data(), ssid.size()) >= 0);
    REQUIRE(::sd_bus_message_close_container(answer) >= 0);
    REQUIRE(::sd_bus_message_close_container(answer) >= 0);
    REQUIRE(::sd_bus_message_append(answer, "{sv}{sv}{sv}", "Strength", "y", 50, "WpaFlags", "u", 0U, "RsnFlags", "u",
                                    path == "/p/home" ? network_flags : 0x100U) >= 0);
    REQUIRE(::sd_bus_message_close_container(answer) >= 0);
    send(answer);
  }

  void answer_device(sd_bus_message* m, const std::string& path) const {
    const bool wifi = path == "/d/wifi";
    reply(m, "a{sv}", 3, "Interface", "s", wifi ? "wlan0" : "lo", "DeviceType", "u", wifi ? adapter_type : 32U, "State",
          "u", wifi ? card_state : 100U);
  }

  void answer_change(sd_bus_message* m, const std::string& member, const std::string& path) {
    if (member == "CheckpointCreate") {
      std::uint32_t limit = 0, flags = 0;
      const char* device = nullptr;
      REQUIRE(::sd_bus_message_read(m, "aouu", 1, &device, &limit, &flags) > 0);
      calls.push_back(member + " " + device + " " + std::to_string(limit) + " " + std::to_string(flags));
      return reply(m, "o", "/c/1");
    }
    if (member == "CheckpointDestroy" || member == "CheckpointRollback") {
      const char* checkpoint = nullptr;
      REQUIRE(::sd_bus_message_read(m, "o", &checkpoint) > 0);
      calls.push_back(member + " " + checkpoint);
      return member == "CheckpointDestroy" ? reply(m, "") : reply(m, "a{su}", 0);
    }
    if (member == "AddConnection2" || member == "Update2") {
      const std::string profile = read_profile(m);
      std::uint32_t flags = 0;
      REQUIRE(::sd_bus_message_read(m, "u", &flags) > 0);
      calls.push_back(member + " " + profile + std::to_string(flags));
      return member == "Update2" ? reply(m, "a{sv}", 0) : reply(m, "oa{sv}", "/s/new", 0);
    }
    if (member == "ActivateConnection") {
      const char *profile = nullptr, *device = nullptr, *point = nullptr;
      REQUIRE(::sd_bus_message_read(m, "ooo", &profile, &device, &point) > 0);
      calls.push_back(member + " " + profile + " " + device);
      return reply(m, "o", "/a/1");
    }
    if (member == "Register") {
      const char* id = nullptr;
      REQUIRE(::sd_bus_message_read(m, "s", &id) > 0);
      REQUIRE(path == "/org/freedesktop/NetworkManager/AgentManager");
      calls.push_back(member + " " + id);
      return reply(m, "");
    }
    if (member == "RequestScan") {
      calls.push_back(member + " " + path);
      return reply(m, "");
    }
    REQUIRE(member == "Delete");
    unsaved.erase(path);
    calls.push_back(member + " " + path);
    reply(m, "");
  }

  /// Reads the SSID and autoconnect of an a{sa{sv}}. Stores the passphrase.
  std::string read_profile(sd_bus_message* m) {
    std::string ssid, automatic;
    REQUIRE(::sd_bus_message_enter_container(m, 'a', "{sa{sv}}") > 0);
    while (::sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
      const char* section = nullptr;
      REQUIRE(::sd_bus_message_read(m, "s", &section) > 0);
      REQUIRE(::sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
      while (::sd_bus_message_enter_container(m, 'e', "sv") > 0) {
        const char* key = nullptr;
        REQUIRE(::sd_bus_message_read(m, "s", &key) > 0);
        read_value(m, key, ssid, automatic);
        REQUIRE(::sd_bus_message_exit_container(m) >= 0);
      }
      REQUIRE(::sd_bus_message_exit_container(m) >= 0);
      REQUIRE(::sd_bus_message_exit_container(m) >= 0);
    }
    REQUIRE(::sd_bus_message_exit_container(m) >= 0);
    return ssid.empty() ? "unchanged " : ssid + " " + automatic + " ";
  }

  void read_value(sd_bus_message* m, std::string_view key, std::string& ssid, std::string& automatic) {
    if (key == "ssid") {
      const void* bytes = nullptr;
      std::size_t size = 0;
      REQUIRE(::sd_bus_message_enter_container(m, 'v', "ay") > 0);
      REQUIRE(::sd_bus_message_read_array(m, 'y', &bytes, &size) > 0);
      REQUIRE(::sd_bus_message_exit_container(m) >= 0);
      ssid.assign(static_cast<const char*>(bytes), size);
    } else if (key == "autoconnect") {
      int on = 0;
      REQUIRE(::sd_bus_message_read(m, "v", "b", &on) > 0);
      automatic = on != 0 ? "by itself" : "never";
    } else if (key == "psk" || key == "key-mgmt") {
      const char* text = nullptr;
      REQUIRE(::sd_bus_message_read(m, "v", "s", &text) > 0);
      (key == "psk" ? passphrase : key_management) = text;
    } else {
      REQUIRE(::sd_bus_message_skip(m, "v") >= 0);
    }
  }

  test::TemporaryFolder folder_;
  UniqueFd listening_;
  sd_bus* bus_ = nullptr;
};

/// An adapter and an attempt to join a network that began.
struct Board {
  FakeClock clock;
  FakeManager manager;
  hal::networkmanager::NetworkManager network{clock, manager.address()};

  Board() { begin(); }
  void begin() { REQUIRE(network.join(as_bytes("at home"), "correct horse", std::chrono::seconds(60))); }
  hal::JoinProgress pump() { return manager.pump(network); }
  hal::JoinProgress after(std::chrono::milliseconds time) {
    clock.advance(time);
    return pump();
  }
  void get_in() {
    pump();
    manager.active_state = 2;
    REQUIRE(after(std::chrono::seconds(1)).phase == hal::JoinProgress::Phase::joined);
  }
};

}  // namespace sealcam::test
