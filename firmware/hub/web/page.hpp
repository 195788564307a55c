// SPDX-License-Identifier: Apache-2.0
/// The hub's page as HTTP sees it: which path is which file, and what a browser may do with it. Reentrant.
#pragma once

#include <optional>
#include <string_view>

namespace sealcam::hub::web {

/// Content-Security-Policy (W3C CSP 3): nothing but this page's own files and its WebSocket; no inline script or style,
/// no other page may frame it, no text may become markup (Trusted Types without a policy).
inline constexpr std::string_view page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types";
/// Permissions-Policy: full screen, nothing else that a browser would ask its user for.
inline constexpr std::string_view page_permissions =
    "fullscreen=(self), camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=()";

struct PageFile {
  std::string_view type;
  std::string_view content;
};

/// `/` is index.html. Nothing when the page has no such file.
[[nodiscard]] std::optional<PageFile> find_page_file(std::string_view path) noexcept;

}  // namespace sealcam::hub::web
