// SPDX-License-Identifier: Apache-2.0
#include "transport/tls_error.hpp"

#include <mbedtls/error.h>
#include <mbedtls/x509_crt.h>

#include <algorithm>
#include <array>
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

std::string verify_words(std::uint32_t flags) {
  std::array<char, 512> text{};
  mbedtls_x509_crt_verify_info(text.data(), text.size(), "", flags);
  std::string words(text.data());
  std::ranges::replace(words, '\n', ' ');
  while (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

}  // namespace sealcam::transport
