// SPDX-License-Identifier: Apache-2.0
#include "owner/record/inspector.hpp"

#include "base/format.hpp"
#include "base/types.hpp"
#include "protocol/command.hpp"
#include "protocol/status.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::owner {

namespace {

using protocol::FrameKind;
using protocol::Leaf;

std::string_view name(FrameKind kind) {
  switch (kind) {
    case FrameKind::key: return "key";
    case FrameKind::delta: return "delta";
    case FrameKind::still: return "still";
    case FrameKind::report: return "report";
  }
  return "";
}

std::string_view text_of(protocol::RequestKind kind) {
  switch (kind) {
    case protocol::RequestKind::live: return "live";
    case protocol::RequestKind::still: return "a still";
    case protocol::RequestKind::privacy_on: return "privacy on";
    case protocol::RequestKind::privacy_off: return "privacy off";
    case protocol::RequestKind::nonce: return "a nonce";
    case protocol::RequestKind::record: return "recording";
    case protocol::RequestKind::motion: return "motion";
    case protocol::RequestKind::past: return "frames from a time without a broker";
  }
  return "";
}

/// Explains why a message was rejected.
std::string explain(const Error& error) {
  switch (error.code) {
    case Errc::wrong_key: return "names another signer than expected for this topic";
    case Errc::bad_signature:
      return "the signature does not match: the message is forged, changed, or moved from another topic";
    case Errc::malformed: return sealcam::format("malformed: {}", error.what);
    default: return to_string(error);
  }
}

std::string seconds_of(CaptureTime time) {
  using namespace std::chrono;
  // A device may send any 64 bits. std::chrono has no calendar date for most of them.
  constexpr microseconds year_0(-62'167'219'200'000'000), year_10000(253'402'300'800'000'000);
  if (time.since_epoch < year_0 || time.since_epoch >= year_10000)
    return sealcam::format("an impossible time ({} us)", time.since_epoch.count());
  return sealcam::format("{:%FT%TZ}", sys_time<milliseconds>(duration_cast<milliseconds>(time.since_epoch)));
}

}  // namespace

Result<Inspector> Inspector::open(const AccountFile& account, const crypto::PublicKey& owner,
                                  std::optional<crypto::DeviceKeys> hub) {
  auto verifier = crypto::Verifier::open(owner);
  if (!verifier) return std::unexpected(verifier.error());
  Inspector inspector(account.account, std::move(*verifier), hub);
  for (const auto& record : account.cameras) {
    auto key = crypto::Verifier::open(record.identity);
    if (!key) return std::unexpected(key.error());
    const protocol::Route route{account.account, record.id};
    inspector.cameras_.emplace(record.id,
                               Camera{record.name, route, std::move(*key), protocol::FrameOpener(route), {}});
  }
  for (const auto& record : account.hubs) {
    auto key = crypto::Verifier::open(record.identity);
    if (!key) return std::unexpected(key.error());
    inspector.hubs_.emplace(record.id, std::pair{record.name, std::move(*key)});
  }
  return inspector;
}

Inspection Inspector::inspect(const transport::Message& message) {
  Inspection out;
  out.size = message.payload.size();
  out.retained = message.retained;
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic) {
    out.why = "not a topic of Sealcam";
    return out;
  }
  out.topic = *topic;
  const auto camera = cameras_.find(topic->route.camera);
  if (topic->leaf != Leaf::index)
    out.camera = camera == cameras_.end() ? topic->route.camera.to_string() : camera->second.name;
  if (message.payload.empty()) {
    out.why = "empty: a client deleted the retained message";
    return out;
  }
  if (const auto signer = protocol::claimed_signer(message.payload)) out.signer = signer->to_string();
  if (topic->route.account != account_) {
    out.why = "the topic is of another account";
    return out;
  }
  if (topic->leaf == Leaf::index) return index(out, topic->hub, message.payload), out;
  if (topic->leaf == Leaf::roster) return roster(out, topic->route, message.payload), out;
  if (topic->leaf == Leaf::command) return command(out, topic->route, message.payload), out;
  if (topic->leaf == Leaf::request) return request(out, *topic, message.payload), out;
  if (camera == cameras_.end()) {
    out.why = "the account has no such camera";
    return out;
  }
  if (topic->leaf == Leaf::grants) grants(out, camera->second, message.payload);
  else if (topic->leaf == Leaf::status) status(out, camera->second, message.payload);
  else frame(out, camera->second, message.payload);
  return out;
}

void Inspector::roster(Inspection& out, const protocol::Route& route, ByteView message) const {
  const auto roster = protocol::decode_roster(message, route, owner_);
  if (!roster) {
    out.why = explain(roster.error());
    return;
  }
  out.verified = true;
  const bool ours = hub_ && roster->active(hub_->identity.id()) != nullptr;
  out.content =
      sealcam::format("version {} of {} by the owner's clock, {} hubs, this machine is {}on it",
                      roster->version.value(), seconds_of(roster->issued), roster->hubs.size(), ours ? "" : "not ");
}

void Inspector::index(Inspection& out, const DeviceId& hub, ByteView message) const {
  const auto index = protocol::decode_index(message, account_, hub, owner_);
  out.verified = index.has_value();
  if (!index) {
    out.why = explain(index.error());
    return;
  }
  const auto known = hubs_.find(hub);
  out.content = sealcam::format("version {} for {}, {} cameras", index->version.value(),
                                known != hubs_.end()                ? "'" + known->second.first + "'"
                                : hub == DeviceId(account_.bytes()) ? std::string("the owner")
                                                                    : hub.to_string(),
                                index->cameras.size());
}

void Inspector::command(Inspection& out, const protocol::Route& route, ByteView message) const {
  const auto seq = protocol::command_seq(message, route, owner_);
  out.verified = seq.has_value();
  if (seq) out.content = sealcam::format("number {}, sealed to the camera", seq->value());
  else out.why = explain(seq.error());
}

static std::string_view fault_text(std::optional<protocol::CameraFault> fault) noexcept {
  using enum protocol::CameraFault;
  if (!fault) return "";
  switch (*fault) {
    case sensor: return ", fault of the sensor";
    case pictures: return ", fault: its pictures cannot be sent";
    case encoder: return ", fault of the encoder";
    case other: break;
  }
  return ", fault";
}

void Inspector::status(Inspection& out, const Camera& camera, ByteView message) const {
  const auto status = protocol::decode_status(message, camera.route, camera.verifier);
  out.verified = status.has_value();
  if (status)
    out.content =
        sealcam::format("{}{}{}, started at {} by the camera's clock; it may be an old one",
                        status->online  ? "online"
                        : status->reset ? "reset"
                                        : "offline",
                        status->privacy ? ", privacy on" : "", fault_text(status->fault), seconds_of(status->started));
  else out.why = explain(status.error());
}

void Inspector::request(Inspection& out, const protocol::Topic& topic, ByteView message) const {
  const auto hub = hubs_.find(topic.hub);
  if (hub == hubs_.end()) {
    out.why = "the account has no such hub";
    return;
  }
  const auto request = protocol::decode_view_request(message, topic.route, hub->second.second);
  if (!request) {
    out.why = explain(request.error());
    return;
  }
  out.verified = true;
  out.epoch = request->epoch;
  out.content = sealcam::format("'{}' requests {}, number {}, challenge {:016x}", hub->second.first,
                                text_of(request->kind), request->seq.value(), request->challenge.value());
}

void Inspector::grants(Inspection& out, Camera& camera, ByteView message) {
  const auto grants = protocol::decode_grants(message, camera.route, camera.verifier);
  if (!grants) {
    out.why = explain(grants.error());
    return;
  }
  out.verified = true;
  out.epoch = grants->epoch;
  out.content = sealcam::format("for {} hubs, with roster {}", grants->grants.size(), grants->roster_version.value());
  if (grants->command) out.content += sealcam::format(", applied command {}", grants->command->value());
  if (grants->wifi) out.content += ", not in the owner's Wi-Fi network";
  out.opened = false;
  if (!hub_) {
    out.why = "another command uses the keys of this machine";
    return;
  }
  const auto content = protocol::open_grant(*grants, camera.route, hub_->identity.id(), hub_->hpke);
  if (!content) {
    out.why = content.error().code == Errc::not_found ? "no grant for this machine" : explain(content.error());
    return;
  }
  auto key = crypto::sframe::OpeningKey::open(grants->suite, grants->epoch, content->base_key);
  if (!key) {
    out.why = to_string(key.error());
    return;
  }
  camera.keys.insert_or_assign(grants->epoch, std::move(*key));
  // Epochs only grow, so the first one is the oldest.
  if (camera.keys.size() > max_epochs) camera.keys.erase(camera.keys.begin());
  out.opened = true;
  out.content += sealcam::format(", camera name '{}'", shown_device_name(content->camera_name));
}

void Inspector::frame(Inspection& out, const Camera& camera, ByteView message) const {
  const auto view = protocol::parse_frame(message);
  if (!view) {
    out.why = explain(view.error());
    return;
  }
  out.signer = view->signer.to_string();
  out.kind = name(view->kind);
  out.epoch = view->epoch;
  out.counter = view->counter;
  if (const auto r = camera.opener.verify(*view, camera.verifier); !r) {
    out.why = explain(r.error());
    return;
  }
  out.verified = true;
  out.opened = false;
  const auto key = camera.keys.find(view->epoch);
  if (key == camera.keys.end()) {
    out.why = "no key for this epoch, because no grant for this machine was opened";
    return;
  }
  Bytes plain(view->sealed.size());
  const auto opened = camera.opener.open(plain, *view, key->second);
  if (!opened) {
    out.why = explain(opened.error());
    return;
  }
  out.opened = true;
  const auto& header = opened->header;
  if (view->kind == FrameKind::report) {
    if (const auto report = protocol::decode_report(opened->content))
      out.content = sealcam::format("the camera uses roster {}{}{}", report->roster_version.value(),
                                    report->privacy ? ", privacy on" : "", fault_text(report->fault));
    return;
  }
  out.content =
      sealcam::format("picture {} of {} by the camera's clock, {}x{}, {} bytes, sealed {} ms after the capture{}",
                      header.number.value(), seconds_of(header.captured), header.width, header.height,
                      opened->content.size(), header.age.count(), header.echoes.empty() ? "" : ", echoes a challenge");
}

}  // namespace sealcam::owner
