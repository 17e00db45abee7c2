#include "admission.hpp"
#include "file_response.hpp"
#include "handlers.hpp"
#include "respond.hpp"

#include "repartee/base/embedded_assets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace repartee::api {
namespace {

std::string_view type_of(std::string_view name)
{
    if (name.ends_with(".html")) return "text/html; charset=utf-8";
    if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
    if (name.ends_with(".css")) return "text/css; charset=utf-8";
    if (name.ends_with(".svg")) return "image/svg+xml";
    return "application/octet-stream";
}

// The page is made of files of this server and nothing else: no inline code, no other host, no HTML out of strings.
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const EmbeddedAsset* find_asset(const std::string& path)
{
    const auto assets = embedded_assets();
    const auto found = std::ranges::find(assets, path, &EmbeddedAsset::path);
    return found == assets.end() ? nullptr : &*found;
}

net::Response embedded_response(const std::string& name, const net::Request& request)
{
    const EmbeddedAsset* asset = find_asset("web/" + name);
    if (!asset || name.ends_with(".gz")) return respond_error({Code::not_found, "There is no page file of that name."});
    const EmbeddedAsset* compressed = nullptr;
    if (request.header("accept-encoding").find("gzip") != std::string_view::npos) compressed = find_asset("web/" + name + ".gz");
    const std::string_view bytes = compressed ? compressed->bytes : asset->bytes;
    const std::string etag = fmt::format("\"{:x}\"", std::hash<std::string_view>{}(bytes));

    net::Response response;
    response.headers = {{"ETag", etag},
                        {"Cache-Control", "no-cache"},
                        {"Vary", "Accept, Accept-Encoding"},
                        {"X-Content-Type-Options", "nosniff"},
                        {"Referrer-Policy", "no-referrer"},
                        {"Permissions-Policy", "microphone=(self), camera=(), geolocation=()"},
                        {"Content-Security-Policy", std::string(content_security_policy)}};
    if (request.header("if-none-match") == etag) {
        response.status = 304;
        return response;
    }
    response.headers.emplace_back("Content-Type", std::string(type_of(name)));
    if (compressed) response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = bytes;
    return response;
}

}  // namespace

net::Reply get_introduction_audio(Services& services, net::Request&& request, const PathParams& params)
{
    // Only ids of the catalogue reach the file system.
    const auto character = find_character(services.shared, params.at("id"));
    if (!character) return respond_refusal(character.error());
    const std::string path = services.shared.settings.audio_dir + "/" + (*character)->id + "_intro.mp3";
    auto file = file_response(path, "audio/mpeg", request);
    if (!file) return respond_error({Code::not_found, "This introduction has not been made yet. Make it with: repartee introductions"});
    return std::move(*file);
}

net::Reply get_page(Services& services, net::Request&& request, const PathParams&)
{
    if (request.header("accept").find("text/html") != std::string_view::npos) return embedded_response("index.html", request);
    net::Response response =
        respond_json(200, {{"message", "Repartee: voice conversations with AI characters. Characters: /api/v1/characters, talk: /ws/conversations/{character_id}."},
                           {"version", services.shared.settings.version}});
    response.headers.emplace_back("Vary", "Accept");
    return response;
}

net::Reply get_page_file(Services&, net::Request&& request, const PathParams& params)
{
    const auto folder = params.find("folder");
    return embedded_response((folder == params.end() ? std::string() : folder->second + "/") + params.at("file"), request);
}

}  // namespace repartee::api
