"""BLS secrets, signatures and the tree they come from, against published vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.beacon import bls
from sluice.beacon.derivation import child_secret, derive, master_secret, signing_path

SECRET = bytes.fromhex("263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3")
SIGNATURE = bytes.fromhex(  # consensus specifications, bls12-381 tests: this secret over 0x56 * 32
    "882730e5d03f6b42c3abc26d3372625034e1d871b65a8a6b900a56dae22da98abbe1b68f85e49fe7652a55ec3d0591c2"
    "0767677e33e5cbb1207315c41a9ac03be39c2e7668edc043d6cb1d9fd93033caa8a1c5b0e84bedaeb6c64972503a43eb"
)
MESSAGE = b"\x56" * 32


def test_signature_of_the_specification() -> None:
    assert bls.sign(SECRET, MESSAGE) == SIGNATURE
    assert bls.verify(bls.public_key(SECRET), MESSAGE, SIGNATURE)


def test_first_interop_key() -> None:
    secret = bytes.fromhex("25295f0d1d592a90b333e26e85149708208e9f8e8bc18f6c77bd62f8ad7a6866")
    assert bls.public_key(secret).hex() == (
        "a99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c"
    )


@given(st.integers(0, 95), st.integers(0, 7))
def test_no_signature_with_a_flipped_bit_is_valid(byte: int, bit: int) -> None:
    bad = bytearray(SIGNATURE)
    bad[byte] ^= 1 << bit
    assert not bls.verify(bls.public_key(SECRET), MESSAGE, bytes(bad))


def test_key_at_infinity_signs_nothing() -> None:
    nothing = b"\xc0" + bytes(47)
    assert not bls.verify(nothing, MESSAGE, b"\xc0" + bytes(95))
    assert not bls.verify(bls.public_key(SECRET), MESSAGE, b"short")
    assert not bls.verify(bytes(48), MESSAGE, SIGNATURE)


@pytest.mark.parametrize(
    "secret", [b"", bytes(32), bytes(31), bls.ORDER.to_bytes(32, "big"), b"\xff" * 32, SECRET + b"\0"]
)
def test_what_is_no_secret_is_refused(secret: bytes) -> None:
    with pytest.raises(bls.SecretError):
        bls.public_key(secret)


@pytest.mark.parametrize(  # the test cases of EIP-2333
    ("seed", "master", "index", "child"),
    [
        (
            "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
            6083874454709270928345386274498605044986640685124978867557563392430687146096,
            0,
            20397789859736650942317412262472558107875392172444076792671091975210932703118,
        ),
        (
            "3141592653589793238462643383279502884197169399375105820974944592",
            29757020647961307431480504535336562678282505419141012933316116377660817309383,
            3141592653,
            25457201688850691947727629385191704516744796114925897962676248250929345014287,
        ),
        (
            "0099ff991111002299dd7744ee3355bbdd8844115566cc55663355668888cc00",
            27580842291869792442942448775674722299803720648445448686099262467207037398656,
            4294967295,
            29358610794459428860402234341874281240803786294062035874021252734817515685787,
        ),
        (
            "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
            19022158461524446591288038168518313374041767046816487870552872741050760015818,
            42,
            31372231650479070279774297061823572166496564838472787488249775572789064611981,
        ),
    ],
)
def test_derivation_of_the_eip(seed: str, master: int, index: int, child: int) -> None:
    assert master_secret(bytes.fromhex(seed)) == master
    assert child_secret(master, index) == child
    assert derive(bytes.fromhex(seed), f"m/{index}") == child.to_bytes(32, "big")


def test_paths_are_checked() -> None:
    seed = bytes(range(32))
    assert derive(seed, signing_path(3)) == derive(seed, "m/12381/3600/3/0/0")
    for path in ("", "12381", "m/x", "m/-1", "m/4294967296", "m//1"):
        with pytest.raises(ValueError, match=r"path|index"):
            derive(seed, path)
    with pytest.raises(ValueError, match="31 bytes"):
        master_secret(bytes(31))
