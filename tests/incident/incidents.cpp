// SPDX-License-Identifier: Apache-2.0
#include "incidents.hpp"

#include <algorithm>
#include <array>

#include "faulty_cache.hpp"
#include "options.hpp"
#include "wrong_links.hpp"

namespace sealcam::incident {
namespace {

constexpr std::string_view security_magazine =
    "https://www.securitymagazine.com/articles/91502-xiaomi-mijia-camera-picking-up-strangers-camera-feeds";
constexpr std::string_view silicon_republic = "https://siliconrepublic.com/enterprise/xiaomi-google-nest-spying-error";
constexpr std::string_view wyze_forum =
    "https://forums.wyze.com/t/update-on-investigation-of-2-16-24-security-issue/291002";
constexpr std::string_view bitdefender =
    "https://bitdefender.com/en-us/blog/hotforsecurity/"
    "i-was-watched-by-someone-wyze-camera-glitch-exposes-video-feeds-to-strangers";
constexpr std::string_view review_geek =
    "https://www.reviewgeek.com/83346/an-eufy-security-bug-let-strangers-view-and-control-each-others-camera-feeds/";
constexpr std::string_view toms_guide =
    "https://www.tomsguide.com/news/eufy-security-cameras-showing-strangers-video-feeds-unplug-now";
constexpr std::string_view malwarebytes =
    "https://www.malwarebytes.com/blog/personal/2023/09/"
    "wyze-home-cameras-temporarily-show-other-peoples-security-feeds";
constexpr std::string_view cso =
    "https://www.csoonline.com/article/565758/privacy-breach-home-security-camera-footage-sent-to-wrong-person.html";
constexpr std::string_view fast_company =
    "https://www.fastcompany.com/90366910/your-used-nest-camera-could-be-spying-on-you";
constexpr std::string_view hot_hardware =
    "https://hothardware.com/news/used-nest-cam-previous-owners-could-be-spying-you";
constexpr std::string_view imtr =
    "https://www.imtr.net/article/unifi-devices-broadcasted-private-video-to-other-users-accounts-ef6b";
constexpr std::string_view vice =
    "https://www.vice.com/en/article/5d9375/ftc-orders-ring-to-pay-5-million-in-refunds-failing-stop-hackers";
constexpr std::string_view sizzling_bay =
    "https://sizzlingbay.com/ftc-reaches-5-8-million-settlement-with-amazon-ring-over-lax-safety/";

constexpr std::array xiaomi_2020{
    Published{"In January 2020 the owner of a Xiaomi Mijia camera requested its picture on a Google Nest Hub and saw "
              "stills from "
              "strangers\u2019 homes.",
              security_magazine},
    Published{
        "Each request showed a different still. Some stills were corrupt. Their timestamps came from other time zones.",
        silicon_republic},
    Published{"The vendor named the cause: a cache update of 26 December 2019 that should improve streaming, together "
              "with poor "
              "networks. 1,044 users had such an integration. The vendor disabled it.",
              security_magazine}};

constexpr std::array wyze_2024{Published{"In February 2024 Wyze\u2019s service failed for several hours. As cameras "
                                         "came back online, about 13,000 users "
                                         "received thumbnails from cameras that were not their own. 1,504 users opened "
                                         "one; in some cases this played a video.",
                                         wyze_forum},
                               Published{"The vendor named the cause: a third-party caching client library. Under the "
                                         "load of devices that came back all at "
                                         "once, it mixed up the mapping of device ids and user ids.",
                                         wyze_forum},
                               Published{"Live streams were not affected.", bitdefender}};

constexpr std::array eufy_2021{
    Published{"On 17 May 2021, during a software update of a server, 712 users of eufy were given the accounts of "
              "other users.",
              review_geek},
    Published{"They saw live and recorded pictures of cameras of strangers, and could control the cameras.",
              toms_guide},
    Published{"The vendor returned to the earlier version of the server. The fault lasted 100 minutes.", review_geek}};

constexpr std::array wyze_2023{
    Published{"On 8 September 2023, for about 30 minutes, users of Wyze\u2019s web page saw cameras of other users who "
              "had logged in "
              "there.",
              malwarebytes},
    Published{
        "The vendor named the cause, a web caching issue, and stated that the cameras of about ten users were visible.",
        malwarebytes}};

constexpr std::array swann_2018{
    Published{
        "In June 2018 the app of a Swann customer received motion-triggered clips from the kitchen of another family.",
        cso},
    Published{"The vendor named the cause: two cameras were manufactured with the same key. The family ignored the "
              "warning that "
              "the camera was already paired to an account.",
              cso}};

constexpr std::array nest_2019{
    Published{"In June 2019 a user sold a Nest camera that had been linked to a Wink hub. After the reset he still saw "
              "pictures of "
              "the new owner\u2019s home on the Wink hub.",
              fast_company},
    Published{"The hub showed no video but a series of stills, one every several seconds.", fast_company},
    Published{"The vendor corrected its service. No update of the cameras was necessary.", hot_hardware}};

constexpr std::array ubiquiti_2023{Published{"In December 2023 users of Ubiquiti\u2019s cloud were presented the "
                                             "consoles of other accounts, next to their own "
                                             "name. One user saw 88 consoles of another account.",
                                             imtr},
                                   Published{"They could open the dashboards, watch live and recorded video, and "
                                             "change settings. Notifications with pictures of "
                                             "other users\u2019 cameras arrived.",
                                             imtr}};

constexpr std::array ring_2019{
    Published{"Between January 2019 and March 2020 attackers took over the accounts of about 55,000 customers of Ring "
              "in the United "
              "States, with passwords that were guessed or came from other services.",
              sizzling_bay},
    Published{
        "For at least 910 of these accounts, with about 1,250 devices, attackers also watched stored or live pictures.",
        vice}};

template <class T>
std::unique_ptr<Fault> with_seed(const Options& options) {
  return std::make_unique<T>(options.seed);
}
template <class T>
std::unique_ptr<Fault> with_rounds(const Options& options) {
  return std::make_unique<T>(options.seed, std::max(options.requests, 2U));
}
std::unique_ptr<Fault> with_cache(const Options& options) {
  return std::make_unique<FaultyCache>(CacheModel{}, options.seed, 0);
}
std::unique_ptr<Fault> with_web_cache(const Options& options) {
  return std::make_unique<GlobalCache>(options.accounts, std::max(options.requests, 2U));
}

constexpr std::string_view by_grant =
    "A hub opens only frames whose base key its own camera sealed to it, and that this camera signed for this account.";

constexpr std::array table{
    Incident{"xiaomi-2020",
             "A stranger\u2019s room on my screen",
             xiaomi_2020,
             by_grant,
             1044,
             2,
             {"2020-01", 1},
             Restart::none,
             false,
             with_cache},
    Incident{"wyze-2024",
             "The thumbnails of 13,000 strangers",
             wyze_2024,
             by_grant,
             13'000,
             1,
             {"2024-02", 16},
             Restart::cameras,
             false,
             with_seed<ShiftedLookups>},
    Incident{"eufy-2021",
             "Logged in as a stranger",
             eufy_2021,
             "The account of a hub is a key, and no server can assign another one. Cameras reject requests that no hub "
             "of their "
             "roster signed.",
             712,
             3,
             {"2021-05", 17},
             Restart::hubs,
             false,
             with_rounds<ExchangedSessions>},
    Incident{"wyze-2023",
             "The page of the last visitor",
             wyze_2023,
             by_grant,
             1000,
             3,
             {"2023-09", 8},
             Restart::none,
             false,
             with_web_cache},
    Incident{"swann-2018",
             "Two cameras with one key",
             swann_2018,
             "Each camera makes its keys at its first start. Even if two have the same keys, a signature names the "
             "account, and the "
             "base key of an epoch is sealed to the hubs of one roster.",
             2,
             3,
             {"2018-06", 23},
             Restart::none,
             true,
             with_seed<LinkedByKey>},
    Incident{"nest-2019",
             "The previous owner is still watching",
             nest_2019,
             "A reset deletes the camera\u2019s keys. The new owner\u2019s roster does not list the hub of the "
             "previous owner.",
             500,
             3,
             {"2019-06", 19},
             Restart::none,
             false,
             with_seed<SoldCameras>},
    Incident{"ubiquiti-2023",
             "The consoles of another account",
             ubiquiti_2023,
             "The owner\u2019s key signs which hubs may watch and control a camera. A table in the cloud does not "
             "decide this.",
             2393,
             3,
             {"2023-12", 13},
             Restart::none,
             false,
             with_rounds<MergedGroups>},
    Incident{"ring-2019",
             "A guessed password",
             ring_2019,
             "There are no passwords. A device proves that it has a key, and the owner\u2019s roster lists this key.",
             1012,
             2,
             {"2019-12", 4},
             Restart::none,
             false,
             with_seed<GuessedPasswords>}};

}  // namespace

std::span<const Incident> incidents() noexcept { return table; }

const Incident* find_incident(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(table, name, &Incident::name);
  return found == table.end() ? nullptr : found;
}

}  // namespace sealcam::incident
