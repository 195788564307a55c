// SPDX-License-Identifier: Apache-2.0
#include "contact_sheet.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "base/format.hpp"
#include "room.hpp"

namespace sealcam::incident {
namespace {

bool is_own(const Shown& shown, std::size_t account) { return shown.camera == account + 1; }

/// The most serious picture of an answer: a stranger's room, else a damaged picture, else the last own picture.
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

std::string picture(int image, const std::string& text) {
  return sealcam::format("<span class=\"pic p{}\" role=\"img\" aria-label=\"{}\"></span>", image, text);
}

std::string figure(std::string_view kind, const std::string& content, const std::string& caption) {
  return sealcam::format("<figure class=\"{}\">{}<figcaption>{}</figcaption></figure>", kind, content, caption);
}

std::size_t different(const std::vector<std::uint16_t>& cameras) {
  return std::set<std::uint16_t>(cameras.begin(), cameras.end()).size();
}

/// Why the hub showed no picture.
struct Reason {
  std::string_view head;
  std::string text;
};
Reason reason_of(const Answer& answer) {
  if (answer.strangers.empty() && answer.damaged == 0) return {"Nothing", "no picture arrived in time"};
  if (answer.strangers.empty()) return {"Rejected", "a picture arrived damaged"};
  const auto others = different(answer.strangers) - 1;
  return {"Rejected", sealcam::format("{}{} arrived and could not be opened", room_of_account(answer.strangers.front()),
                                      others == 0 ? std::string() : sealcam::format(" (and {} more)", others))};
}

std::string gray_tile(const Answer& answer) {
  const auto [head, text] = reason_of(answer);
  return figure("", sealcam::format("<span class=\"no\"><b>{}</b></span>", head), text);
}

std::string tile(const Answer& answer, std::size_t account, Arm arm) {
  const Shown* const shown = worst(answer, account);
  if (!shown) return gray_tile(answer);
  if (!shown->camera)
    return figure("wrong", picture(shown->image, "a damaged picture"),
                  sealcam::format("account {}\u2019s hub showed a damaged picture", account + 1));
  if (!is_own(*shown, account)) {
    const auto text = sealcam::format("account {}\u2019s hub showed {}", account + 1, room_of_account(*shown->camera)) +
                      (shown->damaged ? ", corrupted" : "");
    return figure("wrong", picture(shown->image, text), text);
  }
  const auto place = place_of(static_cast<std::uint16_t>(account + 1));
  auto caption = sealcam::format("own {}{}", place.room, shown->damaged ? ", corrupted" : "");
  if (arm == Arm::sealed && !answer.strangers.empty())
    caption += answer.strangers.size() == 1 ? "; a stranger\u2019s rejected"
                                            : sealcam::format("; {} strangers\u2019 rejected", answer.strangers.size());
  return figure("", picture(shown->image, sealcam::format("account {}\u2019s own {}", account + 1, place.room)),
                caption);
}

std::string_view title(Arm arm) { return arm == Arm::plain ? "Plain frames" : "Sealed frames"; }

std::string tiles(const ArmResult& arm, std::size_t account) {
  std::string out = sealcam::format("<div class=\"tiles\" data-arm=\"{}\">", title(arm.arm));
  if (account < arm.hubs.size())
    for (const auto& answer : arm.hubs[account]) out += tile(answer, account, arm.arm);
  return out + "</div>";
}

bool shows_stranger(const Answer& answer, std::size_t account) {
  const auto* const shown = worst(answer, account);
  return shown && shown->camera && !is_own(*shown, account);
}

/// A request for which the plain arm showed a stranger's room, and the sealed arm rejected one and showed none.
struct Example {
  std::size_t account, request;
  bool private_room;
};

/// At most one per hub. Bedrooms and nurseries come first.
std::vector<Example> examples(const ArmResult& plain, const ArmResult& sealed) {
  std::vector<Example> found;
  for (std::size_t account = 0; account < std::min(plain.hubs.size(), sealed.hubs.size()); ++account) {
    const auto& a = plain.hubs[account];
    const auto& b = sealed.hubs[account];
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      if (!shows_stranger(a[i], account) || shows_stranger(b[i], account) || b[i].strangers.empty()) continue;
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
  return sealcam::format("the {} of account {}", place_of(camera).room, camera);
}

std::string large_examples(const RunResult& run) {
  const auto* const plain = run.find(Arm::plain);
  const auto* const sealed = run.find(Arm::sealed);
  if (!plain || !sealed) return {};
  auto chosen = examples(*plain, *sealed);
  chosen.resize(std::min<std::size_t>(chosen.size(), 3));
  std::string out;
  for (const auto& [account, request, private_room] : chosen)
    out += sealcam::format("<div class=\"pair\"><b>Account {} requests its {}</b>{}{}</div>", account + 1,
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
  std::string out = sealcam::format("<div class=\"sheet{}\" style=\"--n:{}\"><div class=\"heads\"><span></span>",
                                    run.arms.size() == 1 ? " one" : "", std::min<std::size_t>(requests, 8));
  for (const auto& arm : run.arms) out += sealcam::format("<span>{}</span>", title(arm.arm));
  out += "</div>";
  for (std::size_t account = 0; account < hubs; ++account) {
    const auto place = place_of(static_cast<std::uint16_t>(account + 1));
    out += sealcam::format("<div class=\"row\"><div class=\"who\"><b>{}</b>{}<br>{}</div>", account + 1, place.room,
                           place.zone);
    for (const auto& arm : run.arms) out += tiles(arm, account);
    out += "</div>";
  }
  return out + "</div>";
}

}  // namespace sealcam::incident
