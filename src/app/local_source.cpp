#include "local_source.hpp"

#include "casting.hpp"

#include "repartee/base/log.hpp"

namespace repartee::app {
namespace {

engine::LocalSettings local_settings(const Config& config, Metrics& metrics)
{
    const Config::Local& local = config.local;
    engine::LocalSettings settings;
    settings.model = local.model;
    settings.reply_chars_max = static_cast<std::size_t>(local.reply_chars_max);
    settings.limits.items_max = static_cast<std::size_t>(local.items_max);
    settings.limits.input_buffer_ms_max = static_cast<std::size_t>(local.input_buffer_ms);
    settings.context_tokens_max = local.context_tokens_max;
    settings.pieces.first_chars_min = static_cast<std::size_t>(local.first_piece_chars);
    settings.pieces.chars_max = static_cast<std::size_t>(local.piece_chars_max);
    settings.pieces_ahead = static_cast<std::size_t>(local.pieces_ahead);
    settings.turn_limit = milliseconds(local.turn_limit_ms);
    settings.on_turn_failed = [&metrics](const Error& error) {
        metrics.turns_failed_total.add();
        metrics.count_error(error.code);
        log::warn("turn.failed", {{"code", name(error.code)}, {"message", error.message}});
    };
    return settings;
}

}  // namespace

std::unique_ptr<upstream::Source> local_source(const Config& config, asio::any_io_executor executor, providers::Roles roles,
                                               providers::RoleSettings chains, Metrics& metrics)
{
    auto make_roles = [roles = std::move(roles), chains = std::move(chains)](const characters::Character* character) {
        return cast(character, roles, chains);
    };
    return std::make_unique<engine::LocalSource>(std::move(executor), local_settings(config, metrics), std::move(make_roles));
}

}  // namespace repartee::app
