// SPDX-License-Identifier: Apache-2.0
#include "owner/enrollment/phone.hpp"

#include <algorithm>

#include "base/format.hpp"
#include "owner/account/membership.hpp"
#include "owner/sync/sync.hpp"

namespace sealcam::owner {

using pairing::HttpReply;
using protocol::Role;

namespace {

using namespace std::chrono_literals;

constexpr auto poll_time = 1s;
constexpr int enrollment_attempts = 10;
constexpr std::string_view cbor = "application/cbor";

class HttpsAppServer final : public AppServer {
 public:
  explicit HttpsAppServer(protocol::HostPort at) : at_(std::move(at)) {}

 private:
  Outcome<HttpReply> do_request(std::string_view method, const std::string& path, ByteView body) override {
    const auto failed = [&](const pairing::ClientFailure& why) {
      return failure(EX_UNAVAILABLE,
                     sealcam::format("cannot reach the app at https://{}: {}", at_.to_string(), why.text));
    };
    auto connection = pairing::HttpsConnection::connect(at_, {.connect = 5s, .answer = 10s});
    if (!connection) return failed(connection.error());
    auto reply =
        connection->request({method, path, body.empty() ? std::string_view() : cbor, std::string(as_text(body))});
    if (!reply) return failed(reply.error());
    return std::move(*reply);
  }

  protocol::HostPort at_;
};

/// One link, from its code to the enrollment.
class Link {
 public:
  Link(const protocol::HostPort& at, const PhoneLinkDependencies& deps, protocol::LinkKeys keys)
      : at_(at), deps_(deps), keys_(std::move(keys)), path_(sealcam::format("/link/1/{}", to_hex(keys_.slot))) {}

  [[nodiscard]] Outcome<> open(const crypto::SigningKey& owner);
  /// Polls until there is a descriptor with the MAC of the code.
  [[nodiscard]] Outcome<protocol::LinkDescriptor> wait();
  [[nodiscard]] Outcome<> leave_enrollment(ByteView message);
  [[nodiscard]] const protocol::LinkKeys& keys() const noexcept { return keys_; }

 private:
  [[nodiscard]] std::unexpected<Failure> unexpected_status(unsigned status) const {
    return failure(EX_PROTOCOL, sealcam::format("the server at https://{} answers HTTP status {}; check that it is the "
                                                "app of a hub of this account, and its log",
                                                at_.to_string(), status));
  }
  [[nodiscard]] Outcome<protocol::LinkDescriptor> judge(const std::string& body) const;
  /// Whether the mailbox has exactly these bytes, because an earlier answer was lost.
  [[nodiscard]] bool has_enrollment(ByteView message);

  const protocol::HostPort& at_;
  const PhoneLinkDependencies& deps_;
  protocol::LinkKeys keys_;
  std::string path_;
};

std::unexpected<Failure> ended() {
  return failure(EX_TEMPFAIL,
                 "the link has ended, because 10 minutes have passed or the hub was started again; run the command "
                 "again, and use the new address");
}

Outcome<> Link::open(const crypto::SigningKey& owner) {
  const auto opening = protocol::encode_link_opening(
      {.slot = keys_.slot, .owner = owner.public_key(), .time = deps_.clock.wall()}, owner);
  if (!opening) return failure(opening.error(), "cannot sign the opening of the link");
  const auto reply = deps_.app.request("PUT", path_, *opening);
  if (!reply)
    return failure(EX_UNAVAILABLE,
                   reply.error().message + "; check the address, and the member 'app' of the hub's configuration");
  switch (reply->status) {
    case 200:
    case 204: return {};
    case 403:
      return failure(EX_NOPERM,
                     sealcam::format("the hub at https://{} rejects this account; use the address of a hub of "
                                     "this account, and check the clocks of hub and owner",
                                     at_.to_string()));
    case 404:
      return failure(EX_CONFIG,
                     sealcam::format("the server at https://{} links no phones; use the address of the app of "
                                     "a hub of this account",
                                     at_.to_string()));
    case 409: return failure(EX_TEMPFAIL, "the hub knows this link already; run the command again");
    case 429:
      return failure(EX_TEMPFAIL,
                     "the hub has too many links at the same time, or too many requests; wait 10 minutes, and run the "
                     "command again");
    default: return unexpected_status(reply->status);
  }
}

Outcome<protocol::LinkDescriptor> Link::judge(const std::string& body) const {
  auto descriptor = protocol::decode_link_descriptor(as_bytes(body), keys_);
  if (descriptor) return std::move(*descriptor);
  static constexpr std::string_view again = "nothing was changed; run the command again, and use the new address";
  if (descriptor.error().code == Errc::wrong_key)
    return failure(EX_NOPERM, sealcam::format("another client answered without the code of this link; {}", again));
  if (descriptor.error().code == Errc::unsupported)
    return failure(EX_NOPERM, sealcam::format("the device that answered is no phone; {}", again));
  return failure(EX_NOPERM,
                 sealcam::format("the answer of the phone is not valid: {}; {}", descriptor.error().what, again));
}

Outcome<protocol::LinkDescriptor> Link::wait() {
  const auto until = deps_.clock.boot() + link_time;
  std::string unreachable;
  while (deps_.clock.boot() < until) {
    const auto reply = deps_.app.request("GET", path_ + "/descriptor", {});
    if (reply && reply->status == 200) return judge(reply->body);
    if (reply && reply->status == 404) return ended();
    if (reply && reply->status != 204 && reply->status != 429 && reply->status < 500)
      return unexpected_status(reply->status);
    unreachable = reply ? "" : reply.error().message;
    deps_.pause(poll_time);
  }
  if (!unreachable.empty())
    return failure(EX_UNAVAILABLE, sealcam::format("{}; nothing was changed, so run the command again", unreachable));
  return failure(EX_TEMPFAIL,
                 "no phone opened the address within 10 minutes; nothing was changed, so run the command again");
}

bool Link::has_enrollment(ByteView message) {
  const auto reply = deps_.app.request("GET", path_ + "/enrollment", {});
  return reply && reply->status == 200 && equal(as_bytes(reply->body), message);
}

Outcome<> Link::leave_enrollment(ByteView message) {
  std::string why = "the hub does not accept the enrollment";
  for (int attempt = 0; attempt < enrollment_attempts; ++attempt) {
    if (attempt > 0) deps_.pause(poll_time);
    const auto reply = deps_.app.request("PUT", path_ + "/enrollment", message);
    if (!reply) {
      why = reply.error().message;
      continue;
    }
    if (reply->status == 200 || reply->status == 204) return {};
    if (reply->status == 404) return ended();
    if (reply->status == 409 && has_enrollment(message)) return {};
    if (reply->status == 409)
      return failure(EX_NOPERM, "another client left an enrollment for this phone, which the phone rejects");
    if (reply->status != 429 && reply->status < 500) return unexpected_status(reply->status);
    why = unexpected_status(reply->status).error().message;
  }
  return failure(EX_UNAVAILABLE, std::move(why));
}

/// An id that the account or the owner already uses would give one device the rights of another.
Outcome<> check_new(const Account& account, const DeviceId& id) {
  const auto& file = account.file();
  const auto taken = [&](std::string_view by) {
    return failure(EX_NOPERM, sealcam::format("the phone answered with the id of {}; nothing was changed", by));
  };
  if (id == DeviceId(account.id().bytes())) return taken("the owner");
  if (const auto it = std::ranges::find(file.cameras, id, &CameraRecord::id); it != file.cameras.end())
    return taken(sealcam::format("camera '{}'", it->name));
  if (const auto it = std::ranges::find(file.hubs, id, &HubRecord::id); it != file.hubs.end())
    return taken(sealcam::format("{} '{}'", it->phone ? "phone" : "hub", it->name));
  return {};
}

Outcome<AuthorizationRequest> authorization_for(const Account& account, const protocol::LinkDescriptor& descriptor,
                                                const protocol::PhonePassword& password) {
  std::string letters = password.reveal();
  auto login = crypto::PasswordHash::make(as_bytes(letters));
  wipe(std::as_writable_bytes(std::span(letters)));
  if (!login) return failure(login.error(), "cannot hash the password of the phone");
  auto authorization = protocol::encode_authorization({.role = Role::hub,
                                                       .device = descriptor.phone.identity.id(),
                                                       .owner = account.key().public_key(),
                                                       .tls = std::nullopt,
                                                       .login = *login},
                                                      account.key());
  if (!authorization) return failure(authorization.error(), "cannot sign the authorization");
  return AuthorizationRequest{"", descriptor.message, std::move(*authorization)};
}

Outcome<> check_room(const AccountFile& file) {
  if (file.hubs.size() < protocol::Roster::max_hubs) return {};
  return failure(EX_USAGE, sealcam::format("this account already has {} hubs, which is the maximum; unlink one first",
                                           protocol::Roster::max_hubs));
}

/// The record before access exists, so that a power cut leaves no access without a record.
Outcome<> add_unfinished(Account& account, const protocol::DeviceDescriptor& phone, const std::string& name) {
  auto file = account.file();
  if (auto r = check_room(file); !r) return r;
  free_name(file, name);
  HubRecord record;
  record.id = phone.identity.id();
  record.name = name;
  record.identity = phone.identity;
  record.hpke = phone.hpke;
  record.phone = record.unfinished = true;
  file.hubs.push_back(std::move(record));
  return account.store(std::move(file));
}

/// A device with access under this id got it in another way, and this link must neither change nor end it.
Outcome<> check_no_access(const BrokerFiles& files, const DeviceId& phone) {
  const auto devices = list_authorized(files);
  if (!devices) return std::unexpected(devices.error());
  if (!std::ranges::contains(*devices, phone, &Authorized::device)) return {};
  return failure(
      EX_NOPERM,
      "the phone answered with the id of a device that has access to the broker already; no phone was linked");
}

/// Ends the access that this link made. Keeps that of a phone of another account, which answered with the code.
Outcome<> end_access(const BrokerFiles& files, const AccountId& account, const DeviceId& phone) {
  const auto devices = list_authorized(files);
  if (!devices) return std::unexpected(devices.error());
  const auto mine = [&](const Authorized& each) { return each.device == phone && each.account == account; };
  if (std::ranges::none_of(*devices, mine)) return {};
  if (auto r = revoke(files, phone); !r) return std::unexpected(r.error());
  return {};
}

/// Removes access and record. `why`: the failure that the owner reads.
Failure roll_back(Account& account, const Operator& broker, const DeviceId& phone, Failure why) {
  if (const auto r = end_access({broker.folder()}, account.id(), phone); !r) {
    why.message += sealcam::format("; the access of the phone could not be removed: {}; run 'sealcam phone unlink {}'",
                                   r.error().message, phone.to_string());
    return why;
  }
  auto file = account.file();
  std::erase_if(file.hubs, [&](const HubRecord& hub) { return hub.id == phone; });
  if (auto r = account.store(std::move(file)); !r) {
    why.message += sealcam::format("; {}", r.error().message);
    return why;
  }
  why.message += "; the phone was not linked, and nothing of it remains";
  return why;
}

/// Returns whether a running broker read its access list again.
Outcome<bool> authorize_phone(const Account& account, const Operator& broker,
                              const protocol::LinkDescriptor& descriptor, const protocol::PhonePassword& password) {
  const auto authorization = authorization_for(account, descriptor, password);
  if (!authorization) return std::unexpected(authorization.error());
  if (auto r = broker.authorize(*authorization); !r) return std::unexpected(r.error());
  if (auto r = broker.write_lists(); !r) return std::unexpected(r.error());
  return broker.apply();
}

/// Authorizes the phone and leaves its enrollment in the mailbox. Returns the result of authorize_phone().
Outcome<bool> enroll_phone(const Account& account, const PhoneLinkRequest& request, const std::string& broker_address,
                           const protocol::LinkDescriptor& descriptor, Link& link) {
  auto password = protocol::PhonePassword::draw();
  if (!password) return failure(password.error(), "cannot draw a password");
  const auto reloaded = authorize_phone(account, *request.broker, descriptor, *password);
  if (!reloaded) return reloaded;
  const auto message = protocol::encode_link_enrollment({.owner = account.key().public_key(),
                                                         .broker = broker_address,
                                                         .password = std::move(*password),
                                                         .name = request.name},
                                                        descriptor.phone, account.key(), link.keys());
  if (!message) return failure(message.error(), "cannot make the enrollment of the phone");
  if (auto r = link.leave_enrollment(*message); !r) return std::unexpected(r.error());
  return reloaded;
}

/// The phone has its enrollment: from now on rosters list it.
Outcome<> finish(Account& account, const DeviceId& phone, const Clock& clock) {
  const auto failed = [&phone](Failure why) {
    why.message += sealcam::format(
        "; the phone has access at the broker and is on no roster; run 'sealcam phone unlink "
        "{}', and link the phone again",
        phone.to_string());
    return std::unexpected(std::move(why));
  };
  auto file = account.file();
  for (auto& hub : file.hubs)
    if (hub.id == phone) hub.unfinished = false;
  if (auto r = account.store(std::move(file)); !r) return failed(std::move(r.error()));
  if (auto r = renew_rosters(account, clock); !r) return failed(std::move(r.error()));
  return {};
}

/// The steps that can fail before the address is shown. Returns the address of the broker for phones.
Outcome<std::string> prepare(const Account& account, const PhoneLinkRequest& request) {
  auto address = request.broker->web_address(account.id());
  if (!address) return address;
  if (auto r = check_room(account.file()); !r) return std::unexpected(r.error());
  const EnrollmentOptions options{
      .name = request.name, .broker = request.broker, .host = std::nullopt, .port = std::nullopt};
  const auto connected = prepare_enrollment(account, options, Role::hub, DeviceId());
  if (!connected) return std::unexpected(connected.error());
  if (*connected)
    if (auto r = request.broker->apply(); !r) return std::unexpected(r.error());
  return address;
}

}  // namespace

std::unique_ptr<AppServer> https_app_server(const protocol::HostPort& at) {
  return std::make_unique<HttpsAppServer>(at);
}

Outcome<protocol::HostPort> parse_app_address(std::string_view text) {
  static constexpr std::string_view scheme = "https://";
  const auto malformed = failure(
      EX_USAGE, sealcam::format("the address of the app {} is not valid; write it as https://HOST:PORT, with the "
                                "host and the port of the hub's app",
                                printable(text, 64)));
  if (!text.starts_with(scheme)) return malformed;
  text.remove_prefix(scheme.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  const bool has_port = text.contains(':') && !text.ends_with(']');
  const auto parsed = protocol::HostPort::parse(has_port ? std::string(text) : std::string(text) + ":443");
  if (!parsed) return malformed;
  return *parsed;
}

Outcome<Enrolled> link_phone(Account& account, const PhoneLinkRequest& request, const PhoneLinkDependencies& deps) {
  const auto broker_address = prepare(account, request);
  if (!broker_address) return std::unexpected(broker_address.error());
  const auto code = protocol::LinkCode::draw();
  if (!code) return failure(code.error(), "cannot draw a code");
  auto keys = protocol::LinkKeys::derive(*code);
  if (!keys) return failure(keys.error(), "cannot derive the keys of the link");
  Link link(request.app, deps, std::move(*keys));
  if (auto r = link.open(account.key()); !r) return std::unexpected(r.error());
  std::string address = sealcam::format("https://{}/#link/{}", request.app.to_string(), code->reveal());
  deps.show(address);
  wipe(std::as_writable_bytes(std::span(address)));

  const auto descriptor = link.wait();
  if (!descriptor) return std::unexpected(descriptor.error());
  const auto id = descriptor->phone.identity.id();
  if (auto r = check_new(account, id); !r) return std::unexpected(r.error());
  if (auto r = check_no_access({request.broker->folder()}, id); !r) return std::unexpected(r.error());
  deps.received(id);

  if (auto r = add_unfinished(account, descriptor->phone, request.name); !r) return std::unexpected(r.error());
  auto reloaded = enroll_phone(account, request, *broker_address, *descriptor, link);
  if (!reloaded) return std::unexpected(roll_back(account, *request.broker, id, std::move(reloaded.error())));
  if (auto r = finish(account, id, deps.clock); !r) return std::unexpected(r.error());
  return Enrolled{.id = id, .reloaded = *reloaded, .model = "", .version = ""};
}

}  // namespace sealcam::owner
