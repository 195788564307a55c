// SPDX-License-Identifier: Apache-2.0
/// The mbedTLS side of a TlsContext. Included by tls_context.cpp and tls_stream.cpp only.
#pragma once

#include <mbedtls/ssl.h>

#include <array>

#include "transport/mbedtls_handles.hpp"
#include "transport/tls_context.hpp"

namespace sealcam::transport {

struct TlsContext::State {
  TlsRole role = TlsRole::client;
  CrtHandle authorities;
  CrtHandle certificate;
  PkHandle key;
  std::array<int, 3> suites{};  ///< zero-terminated, in order of preference
  std::array<std::uint16_t, 4> groups{};
  Handle<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free> config;
};

}  // namespace sealcam::transport
