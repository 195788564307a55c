// SPDX-License-Identifier: Apache-2.0
#include "contact_sheet.hpp"

#include <algorithm>
#include <format>
#include <set>
#include <vector>

#include "room.hpp"

namespace sealcam::incident {
namespace {

bool is_own(const Shown& shown, std::size_t account) { return shown.camera == account + 1; }

/// What stays in the memory of who asked: a stranger's room, else something broken, else the last own picture.
const Shown* worst(const Answer& answer, std::size_t account) {
  const Shown* found = nullptr;
  for (const auto& shown : answer.shown) {
    if (shown.image < 0) continue;
    const bool stranger = shown.camera && !is_own(shown, account);
    if (stranger) return &shown;
    if (!found || !shown.camera || found->camera) found = &shown;
  }
  return found;
}

std::string picture(int image, const std::string& words) {
  return std::format("<span class=\"pic p{}\" role=\"img\" aria-label=\"{}\"></span>", image, words);
}

std::string figure(std::string_view kind, const std::string& content, const std::string& caption) {
  return std::format("<figure class=\"{}\">{}<figcaption>{}</figcaption></figure>", kind, content, caption);
}

std::size_t different(const std::vector<std::uint16_t>& cameras) {
  return std::set<std::uint16_t>(cameras.begin(), cameras.end()).size();
}

/// Nothing was shown: why not.
struct Reason {
  std::string_view head;
  std::string sentence;
};
Reason reason_of(const Answer& answer) {
  if (answer.strangers.empty() && answer.damaged == 0) return {"Nothing", "no picture came in time"};
  if (answer.strangers.empty()) return {"Refused", "a picture arrived damaged"};
  const auto others = different(answer.strangers) - 1;
  return {"Refused", std::format("{}{} arrived and could not be opened", room_of_account(answer.strangers.front()),
                                 others == 0 ? std::string() : std::format(" (and {} more)", others))};
}

std::string grey_tile(const Answer& answer) {
  const auto [head, sentence] = reason_of(answer);
  return figure("", std::format("<span class=\"no\"><b>{}</b></span>", head), sentence);
}

std::string tile(const Answer& answer, std::size_t account, Arm arm) {
  const Shown* const shown = worst(answer, account);
  if (!shown) return grey_tile(answer);
  if (!shown->camera)
    return figure("wrong", picture(shown->image, "a damaged picture"),
                  std::format("account {}\u2019s hub showed something broken", account + 1));
  if (!is_own(*shown, account)) {
    const auto words = std::format("account {}\u2019s hub showed {}", account + 1, room_of_account(*shown->camera)) +
                       (shown->damaged ? ", corrupted" : "");
    return figure("wrong", picture(shown->image, words), words);
  }
  const auto place = place_of(static_cast<std::uint16_t>(account + 1));
  auto caption = std::format("own {}{}", place.room, shown->damaged ? ", corrupted" : "");
  if (arm == Arm::sealed && !answer.strangers.empty())
    caption += answer.strangers.size() == 1 ? "; a stranger\u2019s refused"
                                            : std::format("; {} strangers\u2019 refused", answer.strangers.size());
  return figure("", picture(shown->image, std::format("account {}\u2019s own {}", account + 1, place.room)), caption);
}

std::string_view title(Arm arm) { return arm == Arm::plain ? "Plain frames" : "Sealed frames"; }

std::string tiles(const ArmResult& arm, std::size_t account) {
  std::string out = std::format("<div class=\"tiles\" data-arm=\"{}\">", title(arm.arm));
  if (account < arm.hubs.size())
    for (const auto& answer : arm.hubs[account]) out += tile(answer, account, arm.arm);
  return out + "</div>";
}

bool shows_stranger(const Answer& answer, std::size_t account) {
  const auto* const shown = worst(answer, account);
  return shown && shown->camera && !is_own(*shown, account);
}

/// A request at which the plain arm showed a stranger and the sealed arm refused one.
struct Example {
  std::size_t account, request;
  bool private_room;
};

/// One for each hub; those in which somebody sleeps come first.
std::vector<Example> examples(const ArmResult& plain, const ArmResult& sealed) {
  std::vector<Example> found;
  for (std::size_t account = 0; account < std::min(plain.hubs.size(), sealed.hubs.size()); ++account) {
    const auto& a = plain.hubs[account];
    const auto& b = sealed.hubs[account];
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      if (!shows_stranger(a[i], account) || !b[i].shown.empty() || b[i].strangers.empty()) continue;
      const auto room = place_of(*worst(a[i], account)->camera).room;
      found.push_back({account, i, room == "bedroom" || room == "nursery"});
      break;
    }
  }
  std::ranges::stable_partition(found, &Example::private_room);
  return found;
}

}  // namespace

std::string room_of_account(std::uint16_t camera) {
  return std::format("the {} of account {}", place_of(camera).room, camera);
}

std::string large_examples(const RunResult& run) {
  const auto* const plain = run.find(Arm::plain);
  const auto* const sealed = run.find(Arm::sealed);
  if (!plain || !sealed) return {};
  auto chosen = examples(*plain, *sealed);
  chosen.resize(std::min<std::size_t>(chosen.size(), 3));
  std::string out;
  for (const auto& [account, request, private_room] : chosen)
    out += std::format("<div class=\"pair\"><b>Account {} asks for its {}</b>{}{}</div>", account + 1,
                       place_of(static_cast<std::uint16_t>(account + 1)).room,
                       tile(plain->hubs[account][request], account, Arm::plain),
                       tile(sealed->hubs[account][request], account, Arm::sealed));
  return out.empty() ? out : "<div class=\"pairs\">" + out + "</div>";
}

std::string contact_sheet(const RunResult& run) {
  std::size_t hubs = 0, requests = 1;
  for (const auto& arm : run.arms) {
    hubs = std::max(hubs, arm.hubs.size());
    for (const auto& answers : arm.hubs) requests = std::max(requests, answers.size());
  }
  std::string out = std::format("<div class=\"sheet{}\" style=\"--n:{}\"><div class=\"heads\"><span></span>",
                                run.arms.size() == 1 ? " one" : "", std::min<std::size_t>(requests, 8));
  for (const auto& arm : run.arms) out += std::format("<span>{}</span>", title(arm.arm));
  out += "</div>";
  for (std::size_t account = 0; account < hubs; ++account) {
    const auto place = place_of(static_cast<std::uint16_t>(account + 1));
    out += std::format("<div class=\"row\"><div class=\"who\"><b>{}</b>{}<br>{}</div>", account + 1, place.room,
                       place.zone);
    for (const auto& arm : run.arms) out += tiles(arm, account);
    out += "</div>";
  }
  return out + "</div>";
}

}  // namespace sealcam::incident
