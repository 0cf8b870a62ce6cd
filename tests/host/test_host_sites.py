"""Short names of adapter sites mean what they say, and a wrong one is answered with the right ones."""

from __future__ import annotations

import pytest

from evolora_mesa.errors import ConfigError
from evolora_mesa.host import HostService, resolve_sites

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["last.down_proj", "lm_head"], ["model.layers.2.mlp.down_proj", "lm_head"]),
        (["lm_head", "last.down_proj"], ["model.layers.2.mlp.down_proj", "lm_head"]),
        (["all.q_proj"], [f"model.layers.{layer}.self_attn.q_proj" for layer in range(3)]),
        (["layers.1.o_proj"], ["model.layers.1.self_attn.o_proj"]),
        (["model.layers.0.mlp.up_proj"], ["model.layers.0.mlp.up_proj"]),
        (["lm_head", "lm_head"], ["lm_head"]),
    ],
)
def test_names_mean_layers(wanted: list[str], found: list[str], service: HostService) -> None:
    assert [site.name for site in resolve_sites(service.available_sites, wanted)] == found


def test_all_linear_is_every_layer_but_the_head(service: HostService) -> None:
    found = [site.name for site in resolve_sites(service.available_sites, ["all-linear"])]
    assert len(found) == 3 * len(LINEAR)
    assert {name.rsplit(".", 1)[-1] for name in found} == set(LINEAR)
    everything = resolve_sites(service.available_sites, ["lm_head", "all-linear"])
    assert everything == service.available_sites


def test_sites_know_the_shape_of_their_layer(service: HostService) -> None:
    arch = service.host.arch
    for site in service.available_sites:
        if site.name != "lm_head":
            weight = service.host.layers[site.layer].weights[site.group]
            assert weight.shape == (site.group_width, site.d_in)
            assert site.offset + site.d_out <= site.group_width
    assert (service.available_sites[-1].d_out, service.available_sites[-1].d_in) == (
        arch.vocab_size,
        arch.hidden_size,
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "down_proj",
        "last.",
        "last",
        "all.",
        "last.lm_head",
        "layers.3.down_proj",
        "layers.x.q_proj",
        "last.down_pro",
        "last..*",
        "all.(a+)+$",
        "model.layers.0.mlp.up",
        "LM_HEAD",
        "last.down_proj ",
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(name: str, service: HostService) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_sites(service.available_sites, ["lm_head", name])
    line = str(caught.value)
    assert "adapter.sites" in line
    assert "down_proj" in line
    assert "\n" not in line
