// SPDX-License-Identifier: Apache-2.0
/// An operator's folder.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "support/device_requests.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::test {

struct OperatorScene {
  TemporaryFolder folder;
  owner::BrokerFiles files{folder.path() / "broker"};
  explicit OperatorScene(const owner::BrokerSettings& settings = {}) { REQUIRE(owner::make_broker(files, settings)); }
  [[nodiscard]] std::string access() const {
    return std::string(as_text(must(read_file(files.access_list(), 1 << 20))));
  }
  [[nodiscard]] std::vector<owner::Authorized> list() const {
    const auto devices = owner::list_authorized(files);
    REQUIRE(devices);
    return *devices;
  }
};

}  // namespace sealcam::test
