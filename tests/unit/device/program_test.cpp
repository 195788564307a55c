// SPDX-License-Identifier: Apache-2.0
#include "device/program.hpp"

#include <sysexits.h>

#include <catch2/catch_test_macros.hpp>
#include <map>

using namespace sealcam;

TEST_CASE("each error code has its exit code") {
  const std::map<Errc, int> table = {
      {Errc::invalid_argument, EX_USAGE},
      {Errc::malformed, EX_CONFIG},
      {Errc::unsupported, EX_CONFIG},
      {Errc::not_found, EX_NOINPUT},
      {Errc::exists, EX_CANTCREAT},
      {Errc::permission, EX_NOPERM},
      {Errc::io, EX_IOERR},
      {Errc::timeout, EX_UNAVAILABLE},
      {Errc::device_lost, EX_UNAVAILABLE},
      {Errc::corrupt_frame, EX_SOFTWARE},
      {Errc::end_of_stream, EX_SOFTWARE},
      {Errc::no_memory, EX_OSERR},
      {Errc::crypto, EX_SOFTWARE},
      {Errc::bad_signature, EX_CONFIG},
      {Errc::not_decryptable, EX_CONFIG},
      {Errc::wrong_key, EX_CONFIG},
      {Errc::replayed, EX_CONFIG},
      {Errc::stale, EX_CONFIG},
      {Errc::exhausted, EX_IOERR},
      {Errc::connection, EX_UNAVAILABLE},
      {Errc::canceled, EX_UNAVAILABLE},
      {Errc::conflict, EX_UNAVAILABLE},
  };
  CHECK(table.size() == static_cast<std::size_t>(Errc::conflict) + 1);  // conflict is the last code
  for (const auto& [code, expected] : table) {
    INFO(name(code));
    CHECK(device::exit_code(code) == expected);
  }
}

TEST_CASE("a service that runs does not exit with the code after which systemd does not restart it") {
  for (int code = 0; code <= static_cast<int>(Errc::conflict); ++code) {
    INFO(name(static_cast<Errc>(code)));
    CHECK(device::service_exit_code(static_cast<Errc>(code)) != EX_USAGE);
  }
  CHECK(device::service_exit_code(Errc::invalid_argument) == EX_CONFIG);
  CHECK(device::service_exit_code(Errc::conflict) == EX_UNAVAILABLE);
}
