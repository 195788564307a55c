// SPDX-License-Identifier: Apache-2.0
#include "transport/tls_error.hpp"

#include <mbedtls/error.h>

#include <array>
#include <string>
#include <system_error>

namespace sealcam::transport {

namespace {

class TlsCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "mbedtls"; }
  std::string message(int code) const override {
    std::array<char, 160> text{};
    mbedtls_strerror(code, text.data(), text.size());
    return text.data();
  }
};

}  // namespace

boost::system::error_code tls_error(int status) {
  static const TlsCategory category;
  return std::error_code(status, category);
}

}  // namespace sealcam::transport
