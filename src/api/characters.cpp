#include "admission.hpp"
#include "handlers.hpp"
#include "respond.hpp"

namespace repartee::api {

net::Reply list_characters(Services& services, net::Request&&, const PathParams&)
{
    const auto snapshot = services.shared.catalogue.snapshot();
    json::array list;
    for (const auto& character : snapshot->all()) list.push_back(characters::to_json(character, false));
    return respond_json(200, {{"characters", std::move(list)}});
}

net::Reply get_character(Services& services, net::Request&&, const PathParams& params)
{
    const auto found = find_character(services.shared, params.at("id"));
    if (!found) return respond_refusal(found.error());
    const characters::Character& character = **found;
    return respond_json(200, characters::to_json(character, false));
}

net::Reply get_introduction(Services& services, net::Request&&, const PathParams& params)
{
    const auto found = find_character(services.shared, params.at("id"));
    if (!found) return respond_refusal(found.error());
    const characters::Character& character = **found;
    return respond_json(200, {{"character_id", character.id},
                              {"name", character.name},
                              {"audio_url", character.introduction_audio_url},
                              {"text", character.introduction_text}});
}

}  // namespace repartee::api
