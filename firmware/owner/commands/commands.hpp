// SPDX-License-Identifier: Apache-2.0
/// The commands of `sealcam`. command_line.cpp fills the arguments and calls one of the functions.
///
/// Paths in the arguments are absolute, because opening an account changes the working folder. An output of "-" is
/// standard output, and a password file of "-" is standard input.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "owner/account/account.hpp"
#include "owner/broker/operator.hpp"
#include "owner/sync/sync.hpp"

namespace sealcam::owner {

struct Dependencies {
  const Clock& clock;
  std::string account_folder;  ///< empty: the default
  bool json = false;           ///< print results as JSON

  [[nodiscard]] AccountFiles account() const;
};

/// The host of an option, without the brackets of an IPv6 address.
[[nodiscard]] Outcome<std::string> parse_host(const std::string& text);

/// The normalized absolute path.
[[nodiscard]] std::filesystem::path absolute(const std::string& path);

/// The operator who authorizes devices: --broker, or --request and later --answer.
struct OperatorOptions {
  std::string broker;   ///< the broker's folder on this machine
  std::string request;  ///< file to write for an operator on another machine
  std::string answer;   ///< the operator's answer

  [[nodiscard]] bool only_requests() const noexcept { return !request.empty(); }
  /// Returns the operator, or null for --request. Fails unless exactly one of the options is set.
  [[nodiscard]] Outcome<std::shared_ptr<const Operator>> resolve() const;
  /// Writes the file of requests and prints the next steps. `device` is the new device, if there is one.
  [[nodiscard]] Outcome<> write(const Dependencies& deps, const std::vector<AuthorizationRequest>& requests,
                                const std::optional<DeviceId>& device) const;
};

/// Options of commands that change something.
struct ChangeOptions {
  double wait = 10;     ///< seconds for the cameras to confirm
  std::string broker;   ///< the broker's folder, for revocations; empty: the folder in the account
  bool forget = false;  ///< delete the camera's record without a confirmation
};

struct AccountArguments {
  std::string file, passphrase_file;
  std::string output;  ///< archive-key
  OperatorOptions broker;
};
[[nodiscard]] Outcome<> create_account(const Dependencies& deps, const AccountArguments& arguments);
[[nodiscard]] Outcome<> back_up_account(const Dependencies& deps, const AccountArguments& arguments);
[[nodiscard]] Outcome<> restore_from_backup(const Dependencies& deps, const AccountArguments& arguments);
/// Opens the archive key of a hub's recordings, which the hub sealed to the account.
[[nodiscard]] Outcome<> open_archive_key(const Dependencies& deps, const AccountArguments& arguments);
[[nodiscard]] Outcome<> connect_to_broker(const Dependencies& deps, const AccountArguments& arguments);

struct SyncArguments {
  SyncOptions options;
  double seconds = 10;
};
[[nodiscard]] Outcome<> sync_account(const Dependencies& deps, const SyncArguments& arguments);

struct BrokerArguments {
  std::string folder, request, descriptor, authorization, device;
  std::string requests;                    ///< the owner's file of requests
  std::string output = "-";                ///< certificate or answer
  std::string file, passphrase_file;       ///< backup
  bool server = false, authority = false;  ///< renew
  std::string web_certificate, web_key;    ///< of the listener for phones; empty: none
  std::optional<std::uint16_t> web_port;
  BrokerSettings settings;
};
[[nodiscard]] Outcome<> init_broker(const Dependencies& deps, const BrokerArguments& arguments);
[[nodiscard]] Outcome<> authorize_device(const Dependencies& deps, const BrokerArguments& arguments);
[[nodiscard]] Outcome<> answer_requests(const Dependencies& deps, const BrokerArguments& arguments);
[[nodiscard]] Outcome<> revoke_device(const Dependencies& deps, const BrokerArguments& arguments);
[[nodiscard]] Outcome<> list_devices(const Dependencies& deps, const BrokerArguments& arguments);
[[nodiscard]] Outcome<> add_web_listener(const Dependencies& deps, const BrokerArguments& arguments);
[[nodiscard]] Outcome<> renew_certificates(const Dependencies& deps, const BrokerArguments& arguments);
[[nodiscard]] Outcome<> back_up_broker(const Dependencies& deps, const BrokerArguments& arguments);
[[nodiscard]] Outcome<> restore_broker(const Dependencies& deps, const BrokerArguments& arguments);

struct DeviceArguments {
  protocol::Role role = protocol::Role::camera;
  std::string name, host;
  int port = 0;  ///< 0: the broker's own port
  OperatorOptions broker;
  std::string state;                    ///< enroll: the device's state folder
  std::string pairing_string, address;  ///< pair
  std::string ssid, password_file;      ///< pair: the camera's Wi-Fi network
  std::string output;                   ///< authorization
};
[[nodiscard]] Outcome<> pair_device(const Dependencies& deps, const DeviceArguments& arguments);
[[nodiscard]] Outcome<> enroll_device(const Dependencies& deps, const DeviceArguments& arguments);
[[nodiscard]] Outcome<> write_authorization(const Dependencies& deps, const DeviceArguments& arguments);

struct CameraArguments {
  std::string camera, name, ssid, password_file, size;
  std::uint32_t bitrate = 0, rate = 0;  ///< 0: unchanged
  std::vector<std::string> masks, zones;
  bool no_masks = false, no_zones = false;
  int motion = -1;                        ///< sensitivity; -1: unchanged
  std::string privacy;                    ///< "on" or "off"
  bool confirmed = false;                 ///< --yes
  bool start = false, automatic = false;  ///< of an update
  int defer = 0;                          ///< days; 0: no deferral
  std::string reject;                     ///< version
  ChangeOptions change;
};
[[nodiscard]] Outcome<> rename_camera(const Dependencies& deps, const CameraArguments& arguments);
[[nodiscard]] Outcome<> switch_privacy(const Dependencies& deps, const CameraArguments& arguments);
[[nodiscard]] Outcome<> change_settings(const Dependencies& deps, const CameraArguments& arguments);
[[nodiscard]] Outcome<> decide_update(const Dependencies& deps, const CameraArguments& arguments);
[[nodiscard]] Outcome<> change_wifi(const Dependencies& deps, const CameraArguments& arguments);
[[nodiscard]] Outcome<> reset_camera(const Dependencies& deps, const CameraArguments& arguments);
[[nodiscard]] Outcome<> transfer_camera(const Dependencies& deps, const CameraArguments& arguments);
[[nodiscard]] Outcome<> take_camera_out(const Dependencies& deps, const CameraArguments& arguments);
[[nodiscard]] Outcome<> list_cameras(const Dependencies& deps, const CameraArguments& arguments);

struct HubArguments {
  std::string hub, camera;
  std::string privacy;  ///< "on" or "off"
  ChangeOptions change;
};
[[nodiscard]] Outcome<> take_hub_out(const Dependencies& deps, const HubArguments& arguments);
[[nodiscard]] Outcome<> allow_hub(const Dependencies& deps, const HubArguments& arguments);
[[nodiscard]] Outcome<> deny_hub(const Dependencies& deps, const HubArguments& arguments);
[[nodiscard]] Outcome<> allow_privacy(const Dependencies& deps, const HubArguments& arguments);
[[nodiscard]] Outcome<> list_hubs(const Dependencies& deps, const HubArguments& arguments);
[[nodiscard]] Outcome<> take_phone_out(const Dependencies& deps, const HubArguments& arguments);
[[nodiscard]] Outcome<> list_phones(const Dependencies& deps, const HubArguments& arguments);

struct PhoneArguments {
  std::string name;
  std::string app;     ///< address of the app: https://HOST:PORT
  std::string broker;  ///< the broker's folder on this machine; empty: the folder in the account
};
[[nodiscard]] Outcome<> link_phone(const Dependencies& deps, const PhoneArguments& arguments);

struct IntegrationArguments {
  std::string name;
  std::vector<std::string> hubs;
  ChangeOptions change;
};
[[nodiscard]] Outcome<> create_integration(const Dependencies& deps, const IntegrationArguments& arguments);
[[nodiscard]] Outcome<> suspend_integration(const Dependencies& deps, const IntegrationArguments& arguments);
[[nodiscard]] Outcome<> resume_integration(const Dependencies& deps, const IntegrationArguments& arguments);
[[nodiscard]] Outcome<> list_integrations(const Dependencies& deps, const IntegrationArguments& arguments);

struct WatchArguments {
  std::string camera, output;
  double seconds = 0;   ///< 0: until interrupted
  double timeout = 30;  ///< seconds without a live picture; 0: no limit
};
[[nodiscard]] Outcome<> watch_camera(const Dependencies& deps, const WatchArguments& arguments);

struct InspectArguments {
  std::string filter;  ///< a camera, or an MQTT topic filter; empty: all topics of the account
  double seconds = 0;  ///< 0: until interrupted
};
[[nodiscard]] Outcome<> inspect_messages(const Dependencies& deps, const InspectArguments& arguments);

struct DoctorArguments {
  double seconds = 5;
};
[[nodiscard]] Outcome<> run_doctor(const Dependencies& deps, const DoctorArguments& arguments);

struct KeysArguments {
  std::string folder, role;
};
/// Makes keys for ensure_device_keys().
[[nodiscard]] Outcome<> make_device_keys(const Dependencies& deps, const KeysArguments& arguments);

}  // namespace sealcam::owner
