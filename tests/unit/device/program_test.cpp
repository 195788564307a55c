// SPDX-License-Identifier: Apache-2.0
#include "device/program.hpp"

#include <sysexits.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <map>
#include <string>

#include "base/format.hpp"
#include "base/testing/fakes.hpp"

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

namespace {

CaptureTime operator+(CaptureTime time, std::chrono::microseconds more) { return {time.since_epoch + more}; }

}  // namespace

TEST_CASE("the support of a version ends after its last day") {
  const auto end = device::support_end();
  const auto last =
      std::chrono::sys_days(std::chrono::floor<std::chrono::days>(end.since_epoch)) - std::chrono::days(1);
  CHECK(sealcam::format("{:%F}", last) == device::support_until());
  CHECK(end.since_epoch % std::chrono::days(1) == std::chrono::microseconds(0));
  CHECK_FALSE(device::support_ended(end + std::chrono::microseconds(-1)));
  CHECK(device::support_ended(end));
  CHECK(device::support_ended(end + std::chrono::days(3650)));
  CHECK(device::support_text(end + std::chrono::microseconds(-1)).contains("at least until"));
  CHECK(device::support_text(end).contains("may get no security fixes"));
}

TEST_CASE("a clock that is not set does not end the support") {
  CHECK_FALSE(device::support_ended({}));
  CHECK_FALSE(device::support_ended({std::chrono::microseconds::min()}));
  CHECK_FALSE(device::support_ended({std::chrono::microseconds::max()}));
  CHECK_FALSE(device::support_ended({std::chrono::sys_days(std::chrono::year(2125) / 1 / 1).time_since_epoch()}));
}

TEST_CASE("the end of the support is logged as a warning with the next step") {
  MemoryLog log;
  device::log_support({}, log);
  CHECK(log.contains("gets security fixes at least until " + std::string(device::support_until())));
  CHECK_FALSE(log.contains("warning"));
  device::log_support(device::support_end(), log);
  CHECK(log.contains("warning"));
  CHECK(log.contains("install a version that SECURITY.md"));
}
