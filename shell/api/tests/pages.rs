//! The fork view beside the API.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use support::Fake;

#[tokio::test]
async fn the_fork_view_comes_with_all_its_files_and_knows_its_node() {
    let (_fake, client, _stop) = Fake::start().await;
    let get = async |path: &str| reqwest::get(format!("{}{path}", client.url())).await.unwrap();
    let page = get("/").await;
    assert!(
        page.url().path() == "/forkview/" && page.headers()["content-type"] == "text/html; charset=utf-8"
    );
    assert_eq!(get("/forkview").await.text().await.unwrap(), page.text().await.unwrap());
    for asset in forkview::ASSETS {
        let file = get(&format!("/forkview/{}", asset.name)).await;
        assert_eq!(file.headers()["content-type"], asset.media_type);
        assert_eq!(file.text().await.unwrap(), asset.text);
    }
    let nodes: serde_json::Value =
        serde_json::from_str(&get("/forkview/nodes.json").await.text().await.unwrap()).unwrap();
    assert_eq!(nodes["nodes"][0]["url"], "");
    assert_eq!(get("/forkview/secret.js").await.status(), 404);
    assert_eq!(get("/forkview/..%2Fmain.js").await.status(), 404);
}

#[tokio::test]
async fn the_dashboard_comes_with_all_its_files_and_the_status_that_it_reads() {
    let (_fake, client, _stop) = Fake::start().await;
    let get = async |path: &str| reqwest::get(format!("{}{path}", client.url())).await.unwrap();
    let page = get("/dashboard").await;
    assert_eq!(page.url().path(), "/dashboard/");
    assert_eq!(page.text().await.unwrap(), get("/dashboard/index.html").await.text().await.unwrap());
    for asset in dashboard::ASSETS {
        let file = get(&format!("/dashboard/{}", asset.name)).await;
        assert_eq!(file.headers()["content-type"], asset.media_type);
        assert_eq!(file.text().await.unwrap(), asset.text);
    }
    assert_eq!(get("/dashboard/secret.js").await.status(), 404);
    let nodes = get("/dashboard/nodes.json").await.text().await.unwrap();
    assert!(nodes.contains("this node"), "{nodes}");
    let status = get("/interlock/v1/status").await;
    assert_eq!(status.headers()["cache-control"], "no-store");
    assert_eq!(status.text().await.unwrap(), "null", "a backend without figures tells none");
}
