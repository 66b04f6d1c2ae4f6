# What SharePoint's cmdlets cannot say, asked of its object model.

# What an app principal may do at the scope of the site subscription, and
# whether it may do so without a user; as Microsoft's own checker reads it.
# Source: Check-SiteMailboxConfig.ps1 in "Configure site mailboxes in
# SharePoint Server".
function Get-AppPermission {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Web,
        [Parameter(Mandatory = $true)] [string] $RegisteredName
    )

    $name = [Microsoft.SharePoint.SPAppPrincipalName]::CreateFromNameIdentifier($RegisteredName)
    $manager = [Microsoft.SharePoint.SPAppPrincipalManager]::GetManager($Web)
    $principal = $manager.LookupAppPrincipal([Microsoft.SharePoint.SPAppPrincipalIdentityProvider]::External, $name)
    if ($null -eq $principal) { return [pscustomobject] @{ Right = ''; AppOnly = $false } }
    $permissions = New-Object Microsoft.SharePoint.SPAppPrincipalPermissionsManager $Web
    $right = [string] $permissions.GetAppPrincipalSiteSubscriptionContentPermission($principal)
    if ($right -notin 'FullControl', 'Manage', 'Write', 'Read') { $right = '' }
    return [pscustomobject] @{ Right = $right; AppOnly = [bool] $permissions.IsAppOnlyPolicyAllowed($principal) }
}
