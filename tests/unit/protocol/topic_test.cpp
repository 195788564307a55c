// SPDX-License-Identifier: Apache-2.0
#include "base/format.hpp"
#include "protocol/envelope.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/actors.hpp"

using namespace sealcam;
using namespace sealcam::protocol;

TEST_CASE("a parsed topic equals the original") {
  const test::Actor owner, camera, hub;
  const Route route = test::route_of(owner, camera);
  for (Leaf leaf : {Leaf::roster, Leaf::command, Leaf::grants, Leaf::video, Leaf::still, Leaf::past, Leaf::status})
    CHECK(parse_topic(topic(route, leaf)).value() == Topic{route, leaf, {}});
  CHECK(parse_topic(request_topic(route, hub.id())).value() == Topic{route, Leaf::request, hub.id()});
  CHECK(parse_topic(index_topic(route.account, hub.id())).value() == Topic{{route.account, {}}, Leaf::index, hub.id()});
}

TEST_CASE("a topic in another form is rejected") {
  const std::string a(32, 'a');
  CHECK(parse_topic(sealcam::format("sealcam/1/{}/{}/video", a, a)));
  for (const std::string& bad :
       {std::string(), std::string("sealcam"), std::string("sealcam/1/"),
        sealcam::format("sealcam/2/{}/{}/video", a, a), sealcam::format("sealcam/1/{}/{}", a, a),
        sealcam::format("sealcam/1/{}/{}/", a, a), sealcam::format("sealcam/1/{}/{}/video/", a, a),
        sealcam::format("sealcam/1/{}/{}/request", a, a), sealcam::format("sealcam/1/{}/{}/request/", a, a),
        sealcam::format("sealcam/1/{}/{}/request/{}/x", a, a, a), sealcam::format("sealcam/1/{}/+/video", a),
        sealcam::format("sealcam/1/{}/index", a), sealcam::format("sealcam/1/{}/index/", a),
        sealcam::format("sealcam/1/{}/index/{}/x", a, a), sealcam::format("sealcam/1/{}/{}/index", a, a),
        sealcam::format("sealcam/1/{}/index/+", a), sealcam::format("sealcam/1/{}/indexes/{}", a, a),
        sealcam::format("sealcam/1/{}x/{}/video", a, a), sealcam::format("/sealcam/1/{}/{}/video", a, a)}) {
    INFO(bad);
    CHECK_FALSE(parse_topic(bad));
  }
}
