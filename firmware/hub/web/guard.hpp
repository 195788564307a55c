// SPDX-License-Identifier: Apache-2.0
/// Who may talk to the hub's page. It listens on loopback only, but every web page in a browser on this machine can
/// send requests there: the Host header stops DNS rebinding, the Origin header stops other pages' scripts. Reentrant.
#pragma once

#include <string_view>

namespace sealcam::hub::web {

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port.
[[nodiscard]] bool host_allowed(std::string_view host) noexcept;

/// No origin at all (not a browser), or exactly `http://` and the Host header's value.
[[nodiscard]] bool origin_allowed(std::string_view origin, std::string_view host) noexcept;

}  // namespace sealcam::hub::web
