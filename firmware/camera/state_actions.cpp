// SPDX-License-Identifier: Apache-2.0
#include "camera/state_actions.hpp"

namespace sealcam::camera {

Result<> StateActions::do_rename(std::string_view name) {
  if (enrolment_.name == name) return {};
  pairing::Enrolment renamed = enrolment_;
  renamed.name = name;
  if (auto r = pairing::write_enrolment(parts_.files, renamed); !r) return r;
  enrolment_ = std::move(renamed);
  return {};
}

Result<stream::Quality> StateActions::do_change(const protocol::CameraSettings& settings) {
  if (auto r = write_settings(parts_.files.settings(), settings); !r) return std::unexpected(r.error());
  CameraConfig wanted = with_settings(parts_.configured, settings, parts_.log);
  const bool other_pictures = wanted.source.size != now_.source.size || wanted.source.rate != now_.source.rate;
  now_ = std::move(wanted);
  parts_.capture.configure(now_);
  if (other_pictures) parts_.control.request_reopen();
  return best_quality(now_);
}

Result<> StateActions::do_join(const protocol::Wifi& wifi) { return parts_.wifi.want(wifi); }

}  // namespace sealcam::camera
