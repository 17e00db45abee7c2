#include "options.hpp"

#include <charconv>
#include <stdexcept>
#include <string_view>

namespace decisions {
namespace {

template <class Integer>
void take_number(std::string_view name, std::string_view text, Integer& to)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    if (error != std::errc{} || end != text.data() + text.size() || to < 0)
        throw std::invalid_argument(std::string(name) + " wants a number, not '" + std::string(text) + "'");
}

}  // namespace

Options parse_options(int argc, char** argv)
{
    if (argc < 2) throw std::invalid_argument("usage: decisions echo|load|relay [--name=value…]; see options.hpp");
    Options options;
    options.program = argv[1];
    for (int i = 2; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const auto equals = argument.find('=');
        const std::string_view name = argument.substr(0, equals);
        const std::string_view value = equals == argument.npos ? "" : argument.substr(equals + 1);
        if (name == "--relay") options.relay = value;
        else if (name == "--sessions") take_number(name, value, options.sessions);
        else if (name == "--port") take_number(name, value, options.port);
        else if (name == "--threads") take_number(name, value, options.threads);
        else if (name == "--tick_us") take_number(name, value, options.tick_us);
        else if (name == "--probe") options.probe = true;
        else if (name == "--send") options.send = value;
        else if (name == "--own_buffers") options.own_buffers = true;
        else if (name == "--quickack") options.quickack = true;
        else if (name == "--busy_poll_us") take_number(name, value, options.busy_poll_us);
        else if (name == "--counters") options.counters = value;
        else if (name == "--direct") options.direct = true;
        else if (name == "--warm_up_ms") take_number(name, value, options.warm_up_ms);
        else if (name == "--window_ms") take_number(name, value, options.window_ms);
        else throw std::invalid_argument("unknown option " + std::string(argument));
    }
    return options;
}

}  // namespace decisions
