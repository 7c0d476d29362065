"""What wasmer does about a module that is not in its store."""

import concurrent.futures
import socket
import threading

import pytest

from autowasm import limits, serving
from autowasm.digest import Digest
from autowasm.store import blobs
from autowasm.wasmer import fetch

MODULE = b"\0asm\x01\0\0\0" + b"module"
DIGEST = Digest.of(MODULE)
PATH = serving.module_path(DIGEST)
HOP = {fetch.HOP_HEADER: "1"}


@pytest.fixture
def knowing(controller):
    """A controller that knows the module."""
    controller.modules[DIGEST.hex] = MODULE
    return controller


def test_from_a_controller(wasmer, store, http, knowing):
    """A miss is fetched from a controller with the token, kept, and not asked for again."""
    url = wasmer(controllers=[knowing.url])
    assert [http.get(url + PATH).content for _ in range(2)] == [MODULE, MODULE]
    assert store.get(DIGEST) == MODULE
    assert knowing.asked == [DIGEST.hex]


def test_token_is_read_at_each_use(wasmer, http, knowing, token_file):
    """A token that was replaced on disk is used without a restart."""
    knowing.token = "second"
    url = wasmer(controllers=[knowing.url])
    assert http.get(url + PATH).status_code == 503
    token_file.write_text("second")
    assert http.get(url + PATH).status_code == 200


def test_no_token(wasmer, http, knowing, token_file):
    """Without a token file it can't be had now; the answer says why."""
    token_file.unlink()
    answer = http.get(wasmer(controllers=[knowing.url]) + PATH)
    assert answer.status_code == 503
    assert "token file" in answer.text


def test_unknown_to_all(wasmer, http, controller):
    """Only when every controller answered that it does not know the module, it is not found."""
    assert http.get(wasmer(controllers=[controller.url, controller.url]) + PATH).status_code == 404


@pytest.mark.parametrize("status", [500, 503, 401, 403, 204])
def test_trouble_is_not_ignorance(wasmer, http, controller, status):
    """A controller that is in trouble might know it: come again."""
    controller.status = status
    answer = http.get(wasmer(controllers=[controller.url]) + PATH)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_unknown_to_one_is_not_unknown(wasmer, http, controller, dead_url):
    """A controller that is away might know what another does not."""
    answer = http.get(wasmer(controllers=[controller.url, dead_url]) + PATH)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_no_controllers(wasmer, http):
    """A wasmer with nobody to ask does not claim that a module is unknown."""
    assert http.get(wasmer() + PATH).status_code == 503


def test_second_controller(wasmer, http, knowing, dead_url):
    """A dead controller costs nothing but a try."""
    assert http.get(wasmer(controllers=[dead_url, knowing.url]) + PATH).content == MODULE


@pytest.mark.parametrize("scene", [(0, 0), (0, 503), (1, 0), (1, 503)], ids=str)
def test_the_replica_that_has_it_is_found(wasmer, http, replicas, scene):
    """Whichever replica behind a name has a module, and whatever the others answer: it is found."""
    having, status = scene
    url, controllers, resolve = replicas
    controllers[having].modules[DIGEST.hex] = MODULE
    controllers[1 - having].status = status
    assert http.get(wasmer(controllers=[url], resolve=resolve) + PATH).content == MODULE


def test_unknown_to_all_replicas(wasmer, http, replicas):
    """A module is unknown once each address of the name said so, and not before."""
    url, controllers, resolve = replicas
    url_of_wasmer = wasmer(controllers=[url], resolve=resolve)
    controllers[1].status = 503
    assert http.get(url_of_wasmer + PATH).status_code == 503
    controllers[1].status = 0
    assert http.get(url_of_wasmer + PATH).status_code == 404
    assert [len(controller.asked) for controller in controllers] == [2, 2]


def test_a_name_without_addresses(wasmer, http, replicas, dead_url):
    """A name that nobody is behind now is no reason to claim that a module is unknown."""
    nobody = dead_url.replace("127.0.0.1", "nobody.localhost")
    answer = http.get(wasmer(controllers=[nobody], resolve=replicas[2]) + PATH)
    assert answer.status_code == 503
    assert "nobody.localhost" in answer.text


def test_peers_behind_one_name(wasmer, tmp_path, http, knowing):
    """All wasmers behind a name are asked, the one that asks among them."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    blobs.Blobs(theirs).put(MODULE)
    port = int(wasmer(root=theirs).rpartition(":")[2])

    async def resolve(name):
        return ["127.0.0.2", "127.0.0.1"] if name == "peers.test" else ["127.0.0.1"]

    url = wasmer(root=ours, peers=[f"http://peers.test:{port}"], controllers=[knowing.url], resolve=resolve)
    assert http.get(url + PATH).content == MODULE
    assert knowing.asked == []


def test_wrong_bytes_are_not_kept(wasmer, store, http, controller):
    """Bytes of another digest are neither served nor kept."""
    controller.modules[DIGEST.hex] = b"something else"
    assert http.get(wasmer(controllers=[controller.url]) + PATH).status_code == 503
    assert store.digests() == frozenset()


def test_redirect_is_not_followed(wasmer, http, controller, knowing):
    """A token goes to its addressee and nowhere else."""
    controller.status, controller.location = 302, f"{knowing.url}/blobs/elsewhere"
    assert http.get(wasmer(controllers=[controller.url]) + PATH).status_code == 503
    assert controller.asked == [DIGEST.hex]


def test_peer_first(wasmer, tmp_path, http, knowing):
    """A module that a peer has costs the controller nothing."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    blobs.Blobs(theirs).put(MODULE)
    url = wasmer(root=ours, peers=[wasmer(root=theirs)], controllers=[knowing.url])
    assert http.get(url + PATH).content == MODULE
    assert blobs.Blobs(ours).get(DIGEST) == MODULE
    assert knowing.asked == []


def test_dead_peers(wasmer, http, knowing, dead_url):
    """Peers that are away are passed over."""
    url = wasmer(peers=[dead_url, dead_url], controllers=[knowing.url])
    assert http.get(url + PATH).content == MODULE


def test_peers_do_not_ask_on(wasmer, http, knowing):
    """A question from a peer is answered from the own store: no wasmer asks a third for it."""
    url = wasmer(controllers=[knowing.url])
    assert http.get(url + PATH, headers=HOP).status_code == 404
    assert http.head(url + PATH, headers=HOP).status_code == 404
    assert knowing.asked == []


def test_damaged_blob_is_fetched_again(wasmer, store, http, knowing):
    """A module that was damaged on disk is served right, out of a controller."""
    store.put(MODULE)
    path = store.path(DIGEST)
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert http.get(wasmer(controllers=[knowing.url]) + PATH).content == MODULE
    assert store.get(DIGEST) == MODULE


def test_single_flight(wasmer, http, knowing):
    """However many sidecars ask at once, a controller is asked once."""
    knowing.go.clear()
    url = wasmer(controllers=[knowing.url])
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(http.get, url + PATH) for _ in range(12)]
        assert knowing.arrived.wait(10)
        knowing.go.set()
        assert [answer.result().content for answer in answers] == [MODULE] * 12
    assert knowing.asked == [DIGEST.hex]


def test_fill_outlives_who_asked(wasmer, http, knowing):
    """When the sidecar gives up, the fill goes on, and its next try needs no controller."""
    knowing.go.clear()
    url = wasmer(controllers=[knowing.url])
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nhost: wasmer\r\n\r\n".encode())
        assert knowing.arrived.wait(10)
    knowing.go.set()
    assert http.get(url + PATH).content == MODULE
    assert knowing.asked == [DIGEST.hex]


def test_announced_excess_is_refused_before_it_is_read(wasmer, http):
    """A module above the cap is not even begun."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            while not connection.recv(4096).startswith(b"GET"):
                connection.close()  # news of fetches
                connection, _ = listener.accept()
            with connection:
                connection.sendall(
                    f"HTTP/1.1 200 OK\r\ncontent-length: {limits.MODULE_BYTES + 1}\r\n\r\n".encode()
                )
                connection.recv(1)  # until the other side has hung up

        thread = threading.Thread(target=answer)
        thread.start()
        url = wasmer(controllers=[f"http://127.0.0.1:{listener.getsockname()[1]}"])
        found = http.get(url + PATH)
        thread.join()
    assert found.status_code == 503
    assert "must have at most" in found.text


def test_fills_are_counted(wasmer, http, knowing, dead_url):
    """Who was asked and what came of it is counted."""
    url = wasmer(controllers=[dead_url, knowing.url])
    http.get(url + PATH)
    lines = http.get(url + "/metrics").text.splitlines()
    assert 'wasmer_fills_total{result="Unreachable",source="controller"} 1.0' in lines
    assert 'wasmer_fills_total{result="Ok",source="controller"} 1.0' in lines
    assert "wasmer_fill_seconds_count 1.0" in lines
